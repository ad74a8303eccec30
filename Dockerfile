# The server alone: a static binary, and the certificates by which it knows https addresses (--jwks-url, --auth-url).
#
#     docker build --build-arg REVISION=$(git rev-parse --short=12 HEAD) -t writer-presence .
#     docker run -p 127.0.0.1:8080:8080 -v presence:/data writer-presence

FROM golang:1.26.8 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# What `version` says of the source; .git does not get into the image's context.
ARG REVISION=
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w -X main.revision=$REVISION" -o /out/writer-presence ./cmd/writer-presence && mkdir /out/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/writer-presence /
# A volume here gets its owner from this directory. With --redis-url it gets server.json only, for health.
COPY --from=build --chown=65532:65532 /out/data /data
# A number, so that an orchestrator can see that it is not root.
USER 65532:65532
# Inside, loopback would be nobody's. What reaches it from outside is for `ports` to say.
ENV WRITER_PRESENCE_ADDR=:8080 WRITER_PRESENCE_DATA=/data
EXPOSE 8080
# Alive, and not ready: what restarts the unhealthy should not do so because Redis is away.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["/writer-presence", "health"]
ENTRYPOINT ["/writer-presence"]
CMD ["serve"]
