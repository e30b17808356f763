// Sets what depends on the reader: where the API is, seen from this page, and whether it is dark outside.
const api = document.getElementById("api");
api.setAttribute("server-url", new URL(".", document.baseURI).href.replace(/\/$/, ""));
api.setAttribute("theme", matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
