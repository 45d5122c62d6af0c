# Web and worker of compose.yaml. The client of PostgreSQL is there for backups and has the server's version.
FROM python:3.11.14-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends postgresql-client-15 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home crucible && install --directory --owner crucible /data
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY . .
ENV CRUCIBLE_DATA_DIR=/data PYTHONUNBUFFERED=1
USER crucible
EXPOSE 8000
CMD ["python", "manage.py", "serve", "--host", "0.0.0.0", "--port", "8000"]
