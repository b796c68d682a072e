window.ui = SwaggerUIBundle({
  url: "./docs.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null, // the default sends this page's address to another host
});
