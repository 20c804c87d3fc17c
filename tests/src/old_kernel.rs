//! A kernel as old as the oldest that goferry supports.

/// The system calls that came after Linux 4.18; those with `?` that this strace does not know are left out.
const AFTER_LINUX_4_18: &str = "?pidfd_send_signal,?io_uring_setup,?io_uring_enter,?io_uring_register,?open_tree,\
    ?move_mount,?fsopen,?fsconfig,?fsmount,?fspick,?pidfd_open,?clone3,?close_range,?openat2,?pidfd_getfd,\
    ?faccessat2,?process_madvise,?epoll_pwait2,?mount_setattr,?quotactl_fd,?landlock_create_ruleset,\
    ?landlock_add_rule,?landlock_restrict_self,?memfd_secret,?process_mrelease,?futex_waitv,\
    ?set_mempolicy_home_node,?cachestat,?fchmodat2,?map_shadow_stack,?futex_wake,?futex_wait,?futex_requeue,\
    ?statmount,?listmount,?lsm_get_self_attr,?lsm_set_self_attr,?lsm_list_modules,?mseal,?setxattrat,?getxattrat,\
    ?listxattrat,?removexattrat,?open_tree_attr,?file_getattr,?file_setattr";

/// The words before a command under which every system call newer than Linux 4.18 fails with ENOSYS.
pub fn words() -> Vec<String> {
    let trace = format!("trace={AFTER_LINUX_4_18}");
    let inject = format!("inject={AFTER_LINUX_4_18}:error=ENOSYS");
    let words =
        ["strace", "-f", "-qq", "--seccomp-bpf", "-e", &trace, "-e", &inject, "-o", "old-kernel.trace"];
    words.map(str::to_owned).to_vec()
}
