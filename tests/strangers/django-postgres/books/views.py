from django.db import connection
from django.http import JsonResponse

from books.models import Book


def index(request):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO books_book (id, title) VALUES (uuid_generate_v4(), 'Emma')")
    return JsonResponse({"titles": sorted({book.title for book in Book.objects.all()})})
