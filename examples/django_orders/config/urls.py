from django.urls import path
from orders import views

urlpatterns = [path("orders/", views.create), path("orders/<uuid:order_id>/", views.show, name="order")]
