// A file of its own: the page's policy runs no script that stands in the page.
fetch("/docs/documents.json").then((answer) => answer.json()).then((urls) => {
  window.ui = SwaggerUIBundle({
    urls,
    dom_id: "#swagger-ui",
    deepLinking: true,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    plugins: [SwaggerUIBundle.plugins.DownloadUrl],
    layout: "StandaloneLayout",
    showExtensions: true,
    showCommonExtensions: true,
    validatorUrl: null,
    defaultModelsExpandDepth: -1,
  });
});
