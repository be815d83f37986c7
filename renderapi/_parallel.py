"""Work on several threads, and telling how far it is."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager, contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from renderapi._extras import install_line
from renderapi.http import transport

if TYPE_CHECKING:
    import requests

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> Generator[Result, None, None]:
    """Do work on items from several threads, and hand over the results in the order of the items.

    At most twice as many results as there are threads are held. After an error, Ctrl-C or when the results
    are no longer wanted nothing is begun any more; what is under way is not waited for.

    Parameters
    ----------
    work : callable
        Called with one item; an error that it raises is raised here.
    items : iterable
        Taken one after the other, as results are.
    threads : int
        With one the work is done by the caller's thread.

    Yields
    ------
    object
        What `work` returned for each item, in the order of the items.
    """
    if threads <= 1:
        yield from map(work, items)
        return
    tasks: SimpleQueue[tuple[Future[Result], Item] | None] = SimpleQueue()

    def take() -> None:
        while (task := tasks.get()) is not None:
            future, item = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work(item))
                except BaseException as error:
                    future.set_exception(error)
            del task, future, item  # the result is not kept until the next one

    for index in range(threads):
        # daemons, unlike those of an executor: a program that is interrupted ends without waiting for them
        threading.Thread(target=take, name=f"renderapi-{index}", daemon=True).start()
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            future: Future[Result] = Future()
            waiting.append(future)
            tasks.put((future, item))
            if len(waiting) >= 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
        for _ in range(threads):
            tasks.put(None)


def in_executor(
    executor: Executor, work: Callable[[Item], Result], items: Iterable[Item], most: int
) -> Generator[Result, None, None]:
    """Do work on items in an executor, and hand over the results in the order of the items.

    After an error, Ctrl-C or when the results are no longer wanted nothing is begun any more.

    Parameters
    ----------
    executor : concurrent.futures.Executor
        Stays open.
    work : callable
        Called with one item; must pickle for an executor of processes.
    items : iterable
        Taken one after the other, as results are.
    most : int
        How many items are submitted at a time.

    Yields
    ------
    object
        What `work` returned for each item, in the order of the items.
    """
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(executor.submit(work, item))
            if len(waiting) >= most:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


class DaemonExecutor(Executor):
    """Threads that a program which is interrupted does not wait for, unlike those of the standard library."""

    def __init__(self, threads: int) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads = threads
        for index in range(threads):
            threading.Thread(target=self._take, name=f"renderapi-{index}", daemon=True).start()

    def _take(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Have a function called by one of the threads."""
        future: Future[Any] = Future()

        def task() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:
                    future.set_exception(error)

        self._tasks.put(task)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end when they have done what was submitted; nothing is waited for."""
        for _ in range(self._threads):
            self._tasks.put(None)


@contextmanager
def interrupt_says(what: Callable[[], str]) -> Iterator[None]:
    """Let a Ctrl-C say what was done until then, unless somebody has said so already."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.args = interrupt.args or (what(),)
        raise


def thread_session(session: requests.Session | None, render: Any) -> requests.Session | None:
    """Return the session for the running thread.

    Parameters
    ----------
    session : requests.Session, optional
        Session of the call.
    render : Render, optional
        Connection of the call.

    Returns
    -------
    requests.Session or None
        A caller's own session, else that of the connection for this thread; None for the default one.
    """
    if session is not None and not isinstance(session, transport.RenderSession):
        return session
    return render.session if render is not None else None


Failure = TypeVar("Failure", bound=Exception)


def with_note(error: Failure, note: str) -> Failure:
    """Return an error of the same kind, with the same details, whose text says more."""
    noted = type(error)(f"{error}\n{note}")
    noted.__dict__.update(error.__dict__)
    return noted


@contextmanager
def checks_reporter(
    progress: Any, total: int, what: str, unit: str = " tiles"
) -> Iterator[Callable[[int], None]]:
    """Return a function that is told of what was checked before anything is sent.

    A bar of tqdm shows it; what was made by the caller to count what is stored is told of nothing, unless it
    has tqdm's ``set_postfix_str`` for a text beside the count.
    """
    if hasattr(progress, "set_postfix_str"):
        checked = 0

        def tell(n: int) -> None:
            nonlocal checked
            checked += n
            progress.set_postfix_str(f"{what}: {checked} of {total}")

        yield tell
        progress.set_postfix_str("")
    elif progress and not hasattr(progress, "update") and not callable(progress):
        named = f"{progress}: {what}" if isinstance(progress, str) else what
        with progress_reporter(named, total, what, unit) as advance:
            yield advance
    else:
        yield lambda n: None


@contextmanager
def progress_reporter(
    progress: Any, total: int | None, what: str, unit: str = " tiles"
) -> Iterator[Callable[[int], None]]:
    """Show how far work has come; the block is given what is told of each step.

    Parameters
    ----------
    progress : bool, str, callable or object with ``update``, optional
        True (or the text beside the bar) for a bar of tqdm; a function, called with the number done and the
        total; or a bar of your own.
    total : int, optional
        Number of steps, if it is known.
    what : str
        Text beside the bar.
    unit : str
        What is counted.

    Yields
    ------
    callable
        Called with the number of steps that were done since the last call.

    Raises
    ------
    ImportError
        If a bar is wanted and tqdm is not installed.
    """
    if not progress:
        yield lambda n: None
    elif hasattr(progress, "update"):
        yield progress.update
    elif callable(progress):
        done = 0

        def tell(n: int) -> None:
            nonlocal done
            done += n
            progress(done, total)

        yield tell
    else:
        try:
            from tqdm.auto import tqdm
        except ImportError as error:
            raise ImportError(f"a progress bar needs tqdm: {install_line('progress')}") from error
        bar: AbstractContextManager[Any] = tqdm(
            total=total, desc=progress if isinstance(progress, str) else what, unit=unit, unit_scale=True
        )
        with bar as opened:
            yield opened.update
