# syntax=docker/dockerfile:1

# The web interface: a Node server that holds the pages and passes /api on to the API, which is at API_URL when it runs.
# docs/operations.md lists its settings. Of the Go services no source is copied, so a change there does not build this
# image again. services/Dockerfile builds those services.

FROM node:24-bookworm-slim AS build
WORKDIR /src
ENV NEXT_TELEMETRY_DISABLED=1
# The packages have a layer of their own: it stays until the lock file changes.
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY next.config.ts postcss.config.mjs tsconfig.json ./
COPY public public
COPY app app
RUN --mount=type=cache,target=/src/.next/cache npm run build
COPY services/web/headers.json services/web/headers.json
COPY services/web/node services/web/node
RUN npm run build:server

FROM node:24-bookworm-slim
WORKDIR /app
# In the container it listens on all addresses; outside of one it listens on 127.0.0.1 alone.
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 API_URL=http://api:8000
COPY --from=build /src/bin/web ./
# The licences of what the pages are made of.
COPY LICENSE NOTICE ./
# node, as a number: see services/Dockerfile. The files belong to root, the server has no reason to change them, and
# writes none.
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/livez').then( \
    r => process.exit(r.ok ? 0 : 1), \
    e => { console.log(String(e.cause ?? e)); process.exit(1) })"]
CMD ["node", "server.mjs"]
