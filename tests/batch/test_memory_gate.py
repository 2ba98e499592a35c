"""Room for images: never more pixels at a time than the limit, unless one image alone has more."""

import threading
import time

from hypothesis import given, settings
from hypothesis import strategies as st

from napari_npa.batch.one_image import Room

LIMIT = 100


@given(st.lists(st.integers(0, 150), min_size=1, max_size=25), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_pixels_in_hand_stay_within_the_limit_or_are_one_image(images, workers):
    room, lock = Room(LIMIT), threading.Lock()
    held: list[int] = []
    seen: list[list[int]] = []
    waiting = iter(images)

    def work():
        while True:
            with lock:
                pixels = next(waiting, None)
            if pixels is None:
                return
            with room.taken(pixels):
                with lock:
                    held.append(pixels)
                    seen.append(list(held))
                time.sleep(0)
                with lock:
                    held.remove(pixels)

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert len(seen) == len(images)
    for together in seen:
        assert sum(together) <= LIMIT or len([pixels for pixels in together if pixels]) == 1


def test_a_large_image_is_not_kept_out_by_small_ones():
    """Small images keep coming; the large one comes in once those before it have gone."""
    room = Room(LIMIT)
    over, large_is_in = threading.Event(), threading.Event()

    def small():
        while not over.is_set():
            with room.taken(40):
                time.sleep(0.001)

    def large():
        with room.taken(1000):
            large_is_in.set()

    threads = [threading.Thread(target=small) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    threads.append(threading.Thread(target=large))
    threads[-1].start()
    came_in = large_is_in.wait(20)
    over.set()
    for thread in threads:
        thread.join()
    assert came_in


def test_an_error_gives_the_room_back():
    room = Room(LIMIT)
    for _ in range(3):
        try:
            with room.taken(LIMIT):
                raise MemoryError
        except MemoryError:
            pass
    with room.taken(LIMIT):
        pass
