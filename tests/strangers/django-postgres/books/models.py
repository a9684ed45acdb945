from django.db import models


class Book(models.Model):
    id = models.UUIDField(primary_key=True)
    title = models.CharField(max_length=100)
