"""The jobs page: what people see of the gateway in a browser. Rendered here, so that it works without JavaScript."""
