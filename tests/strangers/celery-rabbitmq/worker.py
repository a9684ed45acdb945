import os

from celery import Celery

celery = Celery(
    __name__,
    broker=os.environ.get("CELERY_BROKER_URL", "amqp://localhost"),
    backend=os.environ.get("CELERY_RESULT_BACKEND", "redis://localhost:6379"),
)
celery.conf.broker_connection_retry_on_startup = True


@celery.task(name="shout")
def shout(text):
    return text.upper()
