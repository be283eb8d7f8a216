/* Wrappers of C11 atomics. A shared field is declared DJP__ATOMIC(type), and its comment gives its
 * writers and memory order. "relaxed" is the default for counters, acquire/release for
 * hand-over. */
#ifndef DJP_BASE_ATOMIC_H
#define DJP_BASE_ATOMIC_H

#include <stdatomic.h>

#define DJP__ATOMIC(type) _Atomic(type)

#define djp__load_relaxed(p) atomic_load_explicit((p), memory_order_relaxed)
#define djp__load_acquire(p) atomic_load_explicit((p), memory_order_acquire)
#define djp__store_relaxed(p, v) atomic_store_explicit((p), (v), memory_order_relaxed)
#define djp__store_release(p, v) atomic_store_explicit((p), (v), memory_order_release)
#define djp__add_relaxed(p, v) atomic_fetch_add_explicit((p), (v), memory_order_relaxed)
#define djp__add_acq_rel(p, v) atomic_fetch_add_explicit((p), (v), memory_order_acq_rel)
#define djp__sub_relaxed(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_relaxed)
#define djp__sub_acq_rel(p, v) atomic_fetch_sub_explicit((p), (v), memory_order_acq_rel)
#define djp__and_acq_rel(p, v) atomic_fetch_and_explicit((p), (v), memory_order_acq_rel)
#define djp__or_acq_rel(p, v) atomic_fetch_or_explicit((p), (v), memory_order_acq_rel)
#define djp__swap_acq_rel(p, v) atomic_exchange_explicit((p), (v), memory_order_acq_rel)
#define djp__cas_weak_relaxed(p, expected, v)                                         \
    atomic_compare_exchange_weak_explicit((p), (expected), (v), memory_order_relaxed, \
                                          memory_order_relaxed)
#define djp__cas_weak_acq_rel(p, expected, v)                                         \
    atomic_compare_exchange_weak_explicit((p), (expected), (v), memory_order_acq_rel, \
                                          memory_order_acquire)
#define djp__cas_strong_acq_rel(p, expected, v)                                         \
    atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_acq_rel, \
                                            memory_order_acquire)

/* Sequentially consistent, for a writer that publishes and then checks whether the reader sleeps,
 * and a reader that goes to sleep and then checks once more. */
#define djp__load_seq_cst(p) atomic_load_explicit((p), memory_order_seq_cst)
#define djp__store_seq_cst(p, v) atomic_store_explicit((p), (v), memory_order_seq_cst)
#define djp__add_seq_cst(p, v) atomic_fetch_add_explicit((p), (v), memory_order_seq_cst)
#define djp__or_seq_cst(p, v) atomic_fetch_or_explicit((p), (v), memory_order_seq_cst)
#define djp__and_seq_cst(p, v) atomic_fetch_and_explicit((p), (v), memory_order_seq_cst)
#define djp__swap_seq_cst(p, v) atomic_exchange_explicit((p), (v), memory_order_seq_cst)
#define djp__cas_weak_seq_cst(p, expected, v)                                         \
    atomic_compare_exchange_weak_explicit((p), (expected), (v), memory_order_seq_cst, \
                                          memory_order_relaxed)

#endif
