//! A few threads, and the memory that they may use together.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Calls `work` for each item on up to `threads` threads, in order of the items. After the first error no further
/// item is begun, and that error is the result.
pub(crate) fn for_each<T: Sync, E: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<(), E> + Sync,
) -> Result<(), E> {
    if threads <= 1 || items.len() <= 1 {
        return items.iter().try_for_each(work);
    }
    let (next, failed, error) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
    let run = || {
        while !failed.load(Ordering::Relaxed) {
            let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            if let Err(reason) = work(item) {
                failed.store(true, Ordering::Relaxed);
                error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            scope.spawn(run);
        }
        run();
    });
    error.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Bytes that may be in use at once. What alone needs more than all of them has them to itself.
#[derive(Debug)]
pub(crate) struct Budget {
    total: u64,
    used: Mutex<u64>,
    freed: Condvar,
}

impl Budget {
    pub(crate) fn new(total: u64) -> Self {
        Self { total, used: Mutex::new(0), freed: Condvar::new() }
    }

    /// Waits until `bytes` are free, and holds them until the share is dropped.
    pub(crate) fn share(&self, bytes: u64) -> Share<'_> {
        let bytes = bytes.min(self.total);
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let mut used = self
            .freed
            .wait_while(used, |used| *used + bytes > self.total)
            .unwrap_or_else(PoisonError::into_inner);
        *used += bytes;
        Share { budget: self, bytes }
    }
}

/// A part of a [`Budget`].
#[derive(Debug)]
pub(crate) struct Share<'b> {
    budget: &'b Budget,
    bytes: u64,
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        *self.budget.used.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.budget.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;

    #[test]
    fn every_item_is_worked_on_once_and_the_first_error_wins() {
        let items: Vec<u64> = (0..1000).collect();
        let sum = AtomicU64::new(0);
        let add = |item: &u64| {
            sum.fetch_add(*item, Ordering::Relaxed);
            Ok::<(), ()>(())
        };
        for_each(4, &items, add).unwrap();
        assert_eq!(sum.into_inner(), 499_500);
        assert_eq!(for_each(4, &items, |item| if *item == 700 { Err(*item) } else { Ok(()) }), Err(700));
    }

    #[test]
    fn a_budget_is_never_exceeded_and_one_alone_may_have_it_all() {
        let budget = Budget::new(10);
        let (used, most) = (AtomicU64::new(0), AtomicU64::new(0));
        let items = [4_u64, 4, 4, 25, 1, 9, 2];
        for_each(4, &items, |item| {
            let _share = budget.share(*item);
            let now = used.fetch_add(*item.min(&10), Ordering::SeqCst) + item.min(&10);
            most.fetch_max(now, Ordering::SeqCst);
            std::thread::yield_now();
            used.fetch_sub(*item.min(&10), Ordering::SeqCst);
            Ok::<(), ()>(())
        })
        .unwrap();
        assert!(most.into_inner() <= 10);
    }
}
