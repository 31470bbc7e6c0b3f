//! The system calls that a sandbox may not make.
//!
//! A deny list for now. It closes what namespaces leave open: vsock sockets, keyrings,
//! io_uring, terminals, foreign system call tables; and repeats what capabilities refuse
//! already. `clone3` does not exist, so that the C library uses `clone`, whose flags a filter
//! can see.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter,
};

use crate::launcher::order::{At, Refused};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: TargetArch = TargetArch::aarch64;

/// Not in the C library's headers yet.
const SYS_OPEN_TREE_ATTR: i64 = 467;

const REFUSED: &[i64] = &[
    // Mounts.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    SYS_OPEN_TREE_ATTR,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_chroot,
    // Namespaces and other processes.
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
    // Files by handle, and watching all of them.
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    // Keyrings, which no namespace separates.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // Large kernel interfaces with a history.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // The machine itself.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = &[libc::SYS_iopl, libc::SYS_ioperm, libc::SYS_modify_ldt];
#[cfg(target_arch = "aarch64")]
const REFUSED_HERE: &[i64] = &[];

/// Typing into a terminal that one does not own, and taking over the console.
const TERMINAL_REQUESTS: [u64; 3] = [0x5412, 0x541C, 0x541D];

/// Execution domains that change nothing: the default, asking, Linux without randomised
/// addresses (debuggers), and a fixed kernel version.
const PERSONALITIES: [u64; 4] = [0, 0xffff_ffff, 0x0004_0000, 0x0002_0000];

/// Raw, reliably delivered, sequenced (SCTP), DCCP and packet sockets.
const UNUSUAL_KINDS: [u64; 5] = [3, 4, 5, 6, 10];

const NAMESPACE_FLAGS: [i32; 7] = [
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Built<T> = Result<T, seccompiler::BackendError>;

pub(super) fn restrict() -> Result<(), Refused> {
    let missing = Rules::from([(libc::SYS_clone3, Vec::new())]);
    let programs = [
        refusals().and_then(|rules| compile(rules, libc::EPERM)),
        compile(missing, libc::ENOSYS),
    ];
    for program in programs {
        let program = program
            .map_err(std::io::Error::other)
            .at("compile the system call filter")?;
        apply(&program)?;
    }
    refuse_second_table()
}

fn apply(program: &BpfProgram) -> Result<(), Refused> {
    apply_filter(program)
        .map_err(std::io::Error::other)
        .at("install the system call filter")
}

/// The filter compares numbers, and on x86-64 the x32 table has others for the same calls.
#[cfg(target_arch = "x86_64")]
fn refuse_second_table() -> Result<(), Refused> {
    const X32_BIT: u32 = 0x4000_0000;
    let load_number = seccompiler::sock_filter {
        code: 0x20,
        jt: 0,
        jf: 0,
        k: 0,
    };
    let if_below_skip_one = seccompiler::sock_filter {
        code: 0x35,
        jt: 0,
        jf: 1,
        k: X32_BIT,
    };
    let answer = |k| seccompiler::sock_filter {
        code: 0x06,
        jt: 0,
        jf: 0,
        k,
    };
    let refuse = answer(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32);
    apply(&vec![
        load_number,
        if_below_skip_one,
        refuse,
        answer(libc::SECCOMP_RET_ALLOW),
    ])
}

#[cfg(target_arch = "aarch64")]
fn refuse_second_table() -> Result<(), Refused> {
    Ok(())
}

/// A process of another architecture is killed by what seccompiler puts in front.
fn compile(rules: Rules, errno: i32) -> Built<BpfProgram> {
    let refuse = SeccompAction::Errno(errno as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, ARCHITECTURE)?.try_into()
}

fn refusals() -> Built<Rules> {
    let mut rules = Rules::new();
    for number in REFUSED.iter().chain(REFUSED_HERE) {
        rules.insert(*number, Vec::new());
    }
    let namespaces = NAMESPACE_FLAGS.iter().map(|flag| {
        let flag = *flag as u64;
        rule(vec![condition(0, SeccompCmpOp::MaskedEq(flag), flag)?])
    });
    rules.insert(libc::SYS_clone, namespaces.collect::<Built<_>>()?);
    let requests = TERMINAL_REQUESTS
        .iter()
        .map(|request| rule(vec![condition(1, SeccompCmpOp::Eq, *request)?]));
    rules.insert(libc::SYS_ioctl, requests.collect::<Built<_>>()?);
    let strange = PERSONALITIES
        .iter()
        .map(|known| condition(0, SeccompCmpOp::Ne, *known));
    rules.insert(
        libc::SYS_personality,
        vec![rule(strange.collect::<Built<_>>()?)?],
    );
    rules.insert(libc::SYS_socket, socket_rules()?);
    Ok(rules)
}

/// Sockets: unix, IPv4, IPv6 and routing netlink. Of the internet's transports TCP and UDP:
/// asking for another makes the kernel load code that hardly anybody else runs.
fn socket_rules() -> Built<Vec<SeccompRule>> {
    const KIND_MASK: u64 = 0xf;
    let families = [
        libc::AF_UNIX,
        libc::AF_INET,
        libc::AF_INET6,
        libc::AF_NETLINK,
    ];
    let protocols = [0, libc::IPPROTO_TCP, libc::IPPROTO_UDP];
    let netlink = libc::AF_NETLINK as u64;
    let of_internet = || {
        let others = [libc::AF_UNIX, libc::AF_NETLINK];
        let others = others.map(|family| condition(0, SeccompCmpOp::Ne, family as u64));
        others.into_iter().collect::<Built<Vec<_>>>()
    };
    let foreign = families
        .iter()
        .map(|family| condition(0, SeccompCmpOp::Ne, *family as u64));
    let mut rules = vec![
        rule(foreign.collect::<Built<_>>()?)?,
        rule(vec![
            condition(0, SeccompCmpOp::Eq, netlink)?,
            condition(2, SeccompCmpOp::Ne, libc::NETLINK_ROUTE as u64)?,
        ])?,
    ];
    for kind in UNUSUAL_KINDS {
        let mut conditions = of_internet()?;
        conditions.push(condition(1, SeccompCmpOp::MaskedEq(KIND_MASK), kind)?);
        rules.push(rule(conditions)?);
    }
    let mut conditions = of_internet()?;
    for protocol in protocols {
        conditions.push(condition(2, SeccompCmpOp::Ne, protocol as u64)?);
    }
    rules.push(rule(conditions)?);
    Ok(rules)
}

fn rule(conditions: Vec<SeccompCondition>) -> Built<SeccompRule> {
    SeccompRule::new(conditions)
}

fn condition(argument: u8, comparison: SeccompCmpOp, value: u64) -> Built<SeccompCondition> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, comparison, value)
}
