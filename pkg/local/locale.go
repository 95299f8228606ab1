package local

// ClusterLocale is the locale of the Postgres clusters that are made here, which is that of
// docker-compose.yml and k8s: lower() and regular expressions know the letters of all
// languages in it, so that what a test sees is what a deployment does.
const ClusterLocale = "C.UTF-8"
