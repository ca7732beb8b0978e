/** Swagger UI over the schema of this server. Its requests carry the session's CSRF token. */

SwaggerUIBundle({
  url: document.documentElement.dataset.schema,
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null, // the schema goes to nobody else
  requestInterceptor: (request) => {
    const csrf = document.cookie.match(/(?:^|; )csrftoken=([^;]*)/)?.[1];
    if (csrf) request.headers["X-CSRFToken"] = csrf;
    return request;
  },
});
