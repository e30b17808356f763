# syntax=docker/dockerfile:1

# The web interface: a Node server that holds the pages and passes /api on to API_URL. API_URL is fixed when the image
# is built, not when it runs:
#   docker build --build-arg API_URL=http://api:8000 .
# No source of the Go services is copied, so a change there does not build this image again. services/Dockerfile builds
# those services.

FROM node:24-bookworm-slim AS build
WORKDIR /src
ENV NEXT_TELEMETRY_DISABLED=1
# The packages have a layer of their own: it stays until the lock file changes.
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm ci
COPY next.config.ts postcss.config.mjs tsconfig.json ./
COPY public public
COPY app app
ARG API_URL=http://api:8000
RUN --mount=type=cache,target=/src/.next/cache API_URL="$API_URL" npm run build

FROM node:24-bookworm-slim
WORKDIR /app
# HOSTNAME is the address on which the server listens. A container engine sets it to the container's name, and then a
# health check on 127.0.0.1 gets no answer.
ENV NODE_ENV=production NEXT_TELEMETRY_DISABLED=1 HOSTNAME=0.0.0.0 PORT=3000
COPY --from=build /src/.next/standalone ./
COPY --from=build /src/.next/static .next/static
COPY --from=build /src/public public
# The licences of what the server and the pages are made of.
COPY LICENSE NOTICE ./
# node, as a number: see services/Dockerfile. The files belong to root, the server has no reason to change them.
USER 1000:1000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/icon.svg').then( \
    r => process.exit(r.ok ? 0 : 1), \
    e => { console.log(String(e.cause ?? e)); process.exit(1) })"]
CMD ["node", "server.js"]
