# The image that the user guide speaks of: Python, this package with its server, your scripts at /scripts, and the
# Java client scripts of render at the path that the guide names.
#
#   docker build -t render-python .
#   docker run -t -v .:/scripts render-python python /scripts/my_script.py
#   docker run -t -p 127.0.0.1:8080:8080 -v ./data:/data render-python renderapi serve --data /data --host 0.0.0.0
#
# Java is optional: docker build --target python -t render-python .   leaves it out.

FROM python:3.13-slim AS python
RUN useradd --create-home render && mkdir /scripts /data && chown render /scripts /data
COPY . /usr/src/render-python
RUN pip install --no-cache-dir "/usr/src/render-python[all]"
USER render
WORKDIR /scripts
VOLUME ["/scripts", "/data"]
EXPOSE 8080
CMD ["renderapi", "--help"]

FROM maven:3-eclipse-temurin-11 AS java-client
ARG RENDER_VERSION=916ed10aa133
RUN git clone https://github.com/saalfeldlab/render.git /render
WORKDIR /render
RUN git checkout "$RENDER_VERSION" && mvn --quiet --also-make --projects render-ws-java-client -DskipTests package

FROM python
USER root
RUN apt-get update && apt-get install --yes --no-install-recommends default-jre-headless && rm -rf /var/lib/apt/lists/*
# run_ws_client.sh looks for the jar in ../../../target from where it lies
COPY --from=java-client /render/render-ws-java-client/src/main/scripts \
                        /usr/local/render/render-ws-java-client/src/main/scripts
COPY --from=java-client /render/render-ws-java-client/target/*-standalone.jar \
                        /usr/local/render/render-ws-java-client/target/
RUN ln -s main/scripts /usr/local/render/render-ws-java-client/src/scripts
ENV RENDER_CLIENT_SCRIPTS=/usr/local/render/render-ws-java-client/src/scripts
USER render
