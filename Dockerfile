# web builds the front end; the result is the same on every platform.
FROM --platform=$BUILDPLATFORM node:24-slim AS web
WORKDIR /src/web
# The browsers are for tests.
ENV PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1
COPY web/package.json web/package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

# build makes the binary, for whatever platform: there is no C in it.
FROM --platform=$BUILDPLATFORM golang:1.26-alpine AS build
WORKDIR /src
ENV CGO_ENABLED=0 GOTOOLCHAIN=local
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=web /src/web/dist web/dist
ARG TARGETOS TARGETARCH VERSION=dev
RUN GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
      -ldflags "-s -w -X belfry/cli.version=$VERSION" -o /out/belfry . \
    && mkdir /out/data

FROM alpine:3.22
COPY --from=build /out/belfry /usr/local/bin/belfry
# A user that exists nowhere else and owns nothing but the data.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
# SQLite for trying it out lies in ./data as anywhere; name PostgreSQL for running it. No DATABASE_URL is
# set here: beside it a DATABASE_URL_FILE, by which it is named, stops the start.
WORKDIR /
ENV BELFRY_LISTEN=:8080
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s --retries=3 \
  CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["belfry"]
CMD ["serve"]
