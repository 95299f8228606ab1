# syntax=docker/dockerfile:1
# The image of one service, as `make images` builds it without Docker:
#
#   docker build --build-arg SERVICE=task-api --build-arg VERSION=v1.2.3 -t ghcr.io/taskwire/task-api:dev .
FROM golang:1.26 AS page
WORKDIR /src
COPY web web
# What task-api embeds; the other services leave it aside.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    cd web/build && GOWORK=off go run . -out /page

FROM golang:1.26 AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOFLAGS=-buildvcs=false
# The modules change less often than the code.
COPY pkg/go.mod pkg/go.sum pkg/
ARG SERVICE=task-api
COPY services/${SERVICE}/go.mod services/${SERVICE}/go.sum services/${SERVICE}/
RUN --mount=type=cache,target=/go/pkg/mod cd services/${SERVICE} && GOWORK=off go mod download
COPY pkg pkg
COPY services/${SERVICE} services/${SERVICE}
COPY --from=page /page services/task-api/internal/page/dist
ARG VERSION=development
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    cd services/${SERVICE} && GOWORK=off go build -trimpath \
      -ldflags "-s -w -X github.com/taskwire/taskwire/pkg/service.version=${VERSION}" -o /image/${SERVICE} .
# All that is in the image beside the binary. An entrypoint can not be named by an
# argument: it is a link.
RUN ln -s ${SERVICE} /image/service && mkdir -p /image/etc /image/tmp && chmod 1777 /image/tmp && \
    printf 'root:x:0:\nnonroot:x:65532:\n' > /image/etc/group && \
    printf 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n' > /image/etc/passwd

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
WORKDIR /
ENV PATH=/
ENTRYPOINT ["/service"]
ARG SERVICE=task-api
ARG VERSION=development
LABEL org.opencontainers.image.title="${SERVICE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.source="https://github.com/taskwire/taskwire" \
      org.opencontainers.image.licenses="Apache-2.0"
