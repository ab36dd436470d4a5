# The image holds one static binary, a data folder and nothing else.

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG RELEASE
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w ${RELEASE:+-X main.release=$RELEASE}" -o /image/warren ./cmd/warren \
 && mkdir /image/data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /image/warren /usr/local/bin/warren
# Owned by the user that the broker runs as; a new volume takes that over. The number is that of RabbitMQ's image.
COPY --from=build --chown=999:999 /image/data /var/lib/warren
USER 999:999
ENV WARREN_DATA_DIR=/var/lib/warren
# In a container every client comes from outside, so guest may too, as in RabbitMQ's image.
ENV WARREN_LOOPBACK_USERS=none
VOLUME /var/lib/warren
EXPOSE 5672 15672
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --start-interval=1s CMD ["/usr/local/bin/warren", "health"]
ENTRYPOINT ["/usr/local/bin/warren"]
CMD ["server"]
