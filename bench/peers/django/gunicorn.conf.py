# One worker with threads, because all share one core, and keep-alive needs threads.
bind = "127.0.0.1:0"
wsgi_app = "django.core.wsgi:get_wsgi_application()"
worker_class = "gthread"
threads = 4
keepalive = 75
