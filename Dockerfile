# One image for web, worker, control and beat; compose says which part a container is.
FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements/base.txt
COPY . .
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation -e .

FROM python:3.13-slim
# The same user and group number as the folder's owner should have; see docs/configuration.md.
ARG UID=1000
RUN useradd --uid "$UID" --create-home tarkeep \
    && mkdir -p /app/var /app/logs /app/temp /data \
    && chown -R tarkeep: /app /data
COPY --from=build /venv /venv
COPY --from=build --chown=tarkeep /app /app
WORKDIR /app
USER tarkeep
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
CMD ["uvicorn", "backup_project.asgi:application", "--host", "0.0.0.0", "--port", "8000", \
     "--no-access-log", "--no-server-header", "--timeout-graceful-shutdown", "5"]
