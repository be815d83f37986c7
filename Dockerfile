# A slim image with this package, its server, renderer, matcher and solver; not run as root.
#
#   docker build -t render-python .
#   docker run --rm render-python --version
#   docker run --rm -p 127.0.0.1:8080:8080 -v ./data:/data render-python serve --data /data --host 0.0.0.0
#   docker run --rm -v .:/scripts --entrypoint python render-python /scripts/my_script.py
#
# The same with Java and the client scripts of render, where the user guide says:
#
#   docker build --target java -t render-python:java .
#
# .ci/image does the steps of the first two stages without Docker.

ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS installed
ARG EXTRAS=server,render,match
COPY . /usr/src/render-python
RUN python -m venv /opt/render-python \
    && /opt/render-python/bin/pip install --no-cache-dir "/usr/src/render-python[${EXTRAS}]"

FROM python:${PYTHON}-slim AS python
RUN useradd --uid 1000 --create-home render && mkdir /scripts /data && chown render /scripts /data
COPY --from=installed /opt/render-python /opt/render-python
ENV PATH=/opt/render-python/bin:$PATH
USER 1000
WORKDIR /scripts
VOLUME ["/scripts", "/data"]
EXPOSE 8080
ENTRYPOINT ["renderapi"]
CMD ["--help"]

FROM maven:3-eclipse-temurin-11 AS java-client
ARG RENDER_VERSION=916ed10aa133a0a77c90fedec16209a5f105da05
WORKDIR /render
RUN git init --quiet \
    && git fetch --quiet --depth 1 https://github.com/saalfeldlab/render.git "$RENDER_VERSION" \
    && git checkout --quiet FETCH_HEAD \
    && mvn --quiet --also-make --projects render-ws-java-client -DskipTests package

FROM python AS java
# hadolint ignore=DL3002
USER 0
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends default-jre-headless \
    && rm -rf /var/lib/apt/lists/* \
    && mkdir --parents /usr/local/render/render-ws-java-client/src \
    && ln -s main/scripts /usr/local/render/render-ws-java-client/src/scripts
# run_ws_client.sh looks for the jar in ../../../target from where it lies
COPY --from=java-client /render/render-ws-java-client/src/main/scripts \
                        /usr/local/render/render-ws-java-client/src/main/scripts
COPY --from=java-client /render/render-ws-java-client/target/*-standalone.jar \
                        /usr/local/render/render-ws-java-client/target/
ENV RENDER_CLIENT_SCRIPTS=/usr/local/render/render-ws-java-client/src/scripts
USER 1000

# what is built where no --target is named
FROM python
