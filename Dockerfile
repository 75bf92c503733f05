# Two images from one file; docs/deployment.md tells how they are used:
#   docker build --target prod -t gpu-request-router:prod .
#   docker build --target test -t gpu-request-router:test .
# Each holds the router and its companion, the GPU Monitoring Service, and runs either by its command.

FROM node:26.10.0-bookworm-slim AS manifest
WORKDIR /app
COPY package.json package-lock.json .npmrc ./

FROM manifest AS prod-packages
# Without optional packages: they bring a Node of their own, and the image is one.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM manifest AS test-packages
# With optional packages: the test runner's compiled parts are among them.
RUN npm ci --ignore-scripts

FROM manifest AS runtime
# The user "node" of the image. What is copied stays root's: the process reads it and changes nothing.
USER 1000:1000
EXPOSE 8000
# Asks whether it lives, not whether it can serve: a restart mends no fleet that is down.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.API_PORT || 8000}/health/live`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Process 1 is Node itself, not npm, so that it gets the stop signal. No tini: it handles its signals,
# and leaves no children behind.
CMD ["node", "--import", "./src/require-node.js", "src/main.ts"]

FROM runtime AS test
COPY --from=test-packages /app/node_modules ./node_modules
COPY src ./src
COPY test ./test
COPY deploy/compose ./deploy/compose
COPY vitest.e2e.config.ts ./

# The last stage is what a plain `docker build .` makes.
FROM runtime AS prod
# Without a config the router must not become the demo.
ENV NODE_ENV=production
COPY --from=prod-packages /app/node_modules ./node_modules
COPY src ./src
