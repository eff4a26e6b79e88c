# One image for all of Snag's parts; the command says which one runs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/snag
COPY requirements.lock ./
RUN /opt/snag/bin/pip install --no-cache-dir -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY ingest ingest
COPY processors processors
COPY snag snag
COPY deploy deploy
RUN /opt/snag/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 10001 snag && install -d -o snag -g snag /var/lib/snag/spool
COPY --from=build /opt/snag /opt/snag
ENV PATH=/opt/snag/bin:$PATH PYTHONUNBUFFERED=1
USER snag
WORKDIR /home/snag
CMD ["snag", "--help"]
