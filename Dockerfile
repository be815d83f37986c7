# The image that the user guide speaks of: Python, this package with its server, scripts at /scripts.
#
#   docker build -t render-python .
#   docker run -t -v .:/scripts render-python python /scripts/my_script.py
#   docker run -t -p 8080:8080 -v ./data:/data render-python renderapi serve --data /data --host 0.0.0.0
#
# Java is optional. For the Java clients mount a built render-ws-java-client at
# /usr/local/render/render-ws-java-client; the variable below then finds its scripts.
FROM python:3.13-slim

RUN useradd --create-home render && mkdir /scripts /data && chown render /scripts /data

WORKDIR /usr/src/render-python
COPY . .
RUN pip install --no-cache-dir ".[all]"

ENV RENDER_CLIENT_SCRIPTS=/usr/local/render/render-ws-java-client/src/main/scripts

USER render
WORKDIR /scripts
VOLUME ["/scripts", "/data"]
EXPOSE 8080
CMD ["renderapi", "--help"]
