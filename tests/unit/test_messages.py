from actorline.messages import send_line
from actorline.settings import load_settings


def test_what_a_service_writes_is_shown_without_passwords():
    settings = load_settings(redis_url="redis://app:s3cret@h:6379/0", results_url="redis://:0ther@h/1")
    shown = send_line(settings)
    assert 'broker="redis://app:***@h:6379/0", backend="redis://:***@h/1"' in shown
    assert "s3cret" in send_line(settings, show_passwords=True)
    assert "0ther" in send_line(settings, show_passwords=True)
