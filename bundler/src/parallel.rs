//! Many jobs on a bounded number of threads, of which the first error stops the rest.

use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Asks running jobs to come to an end; jobs that wait are woken.
#[derive(Debug, Default)]
pub struct Stop {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Nothing has to stop yet.
    pub const fn new() -> Self {
        Self { stopped: Mutex::new(false), changed: Condvar::new() }
    }

    /// Asks everybody to stop, for good.
    pub fn stop(&self) {
        *lock(&self.stopped) = true;
        self.changed.notify_all();
    }

    /// Whether to stop.
    pub fn is_stopped(&self) -> bool {
        *lock(&self.stopped)
    }

    /// Waits, unless it is time to stop, and says whether it is.
    #[must_use]
    pub fn wait(&self, duration: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(lock(&self.stopped), duration, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Does `work` for each job on up to `threads` threads. The results are in the order of the jobs.
///
/// After the first error `stop` is set, no further job begins, and that error is returned once the running ones ended.
pub fn run<I, T, E>(
    jobs: Vec<I>,
    threads: NonZeroUsize,
    stop: &Stop,
    work: impl Fn(I) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E>
where
    I: Send,
    T: Send,
    E: Send,
{
    let threads = threads.get().min(jobs.len());
    let mut results: Vec<Option<T>> = jobs.iter().map(|_| None).collect();
    let slots = Mutex::new(jobs.into_iter().zip(results.iter_mut()));
    let first_error = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some((job, slot)) = next(&slots, &first_error) {
                    match work(job) {
                        Ok(result) => *slot = Some(result),
                        Err(error) => {
                            lock(&first_error).get_or_insert(error);
                            stop.stop();
                        }
                    }
                }
            });
        }
    });
    match first_error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(results.into_iter().flatten().collect()),
    }
}

fn next<I: Iterator, E>(jobs: &Mutex<I>, first_error: &Mutex<Option<E>>) -> Option<I::Item> {
    if lock(first_error).is_some() {
        return None;
    }
    lock(jobs).next()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();

    #[test]
    fn results_are_in_the_order_of_the_jobs() {
        let results = run((0..100).collect(), FOUR, &Stop::new(), |n: i32| Ok::<_, ()>(n * 2)).unwrap();
        assert_eq!(results, (0..100).map(|n| n * 2).collect::<Vec<_>>());
        assert_eq!(run(Vec::<i32>::new(), FOUR, &Stop::new(), Ok::<_, ()>), Ok(vec![]));
    }

    #[test]
    fn the_first_error_keeps_later_jobs_from_starting_and_wakes_the_waiting() {
        let stop = Stop::new();
        let started = AtomicUsize::new(0);
        let result = run((0..1000).collect(), FOUR, &stop, |n: i32| {
            started.fetch_add(1, Ordering::SeqCst);
            if n == 3 {
                return Err("three");
            }
            if stop.wait(Duration::from_mins(1)) { Err("stopped") } else { Ok(()) }
        });
        assert_eq!(result, Err("three"));
        assert!(started.into_inner() <= 4);
    }
}
