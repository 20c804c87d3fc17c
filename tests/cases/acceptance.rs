//! What the offline acceptance has in common: the stock `go` on an installed bundle of real releases and real modules,
//! without a network, as an ordinary user and as the one who installed. The numbers are those of the design's list.

use e2e::requirement::Requirement::{self, Namespaces, Network, Root, Strace};
use e2e::requirement::can_run;
use e2e::world::{Visit, World};

/// Does a case for every account on the host with both releases, where that can be.
pub(super) fn on_all(case: &str, requirements: &[Requirement], check: impl Fn(&World, &Visit<'_>)) {
    if can_run(case, &[Network, Namespaces, Strace]) && can_run(case, requirements) {
        // Says that only half of it runs, and runs that half.
        can_run(&format!("{case} as another user"), &[Root]);
        let world = World::all();
        world.for_each_account(case, |visit| check(world, visit));
    }
}
