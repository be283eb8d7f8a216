/* The memory transport: what it keeps, its limit, its lock, memory that fails, and a forked child.
 * Compiled in, for its lock. */
#include "export/memory.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "djp/error.h"
#include "export/transport.h"
#include "lock_guard.h"

static djp__send_result
memory_put(djp__transport *transport, const void *body, size_t size)
{
    djp__send_control control = {UINT64_MAX, NULL, NULL};
    djp__send_result result;
    memset(&result, 0xff, sizeof result);
    transport->ops->send(transport, body, size, &control, &result);
    return result;
}

static void
requests_come_back_with_their_sizes(void **state)
{
    djp__transport *transport;
    djp__buf out;
    (void)state;
    djp__buf_init(&out, 0);
    assert_int_equal(djp__transport_memory_new(&transport), 0);
    djp__send_result result = memory_put(transport, "abc", 3);
    assert_int_equal(result.outcome, DJP__SENT);
    assert_int_equal(result.wire_bytes, 3);
    assert_int_equal(result.rejected, 0);
    assert_int_equal(memory_put(transport, "", 0).outcome, DJP__SENT);
    assert_int_equal(djp__transport_memory_take(transport, &out), 1);
    assert_int_equal(out.size, 11);
    assert_memory_equal(out.data, "\x03\0\0\0abc\0\0\0\0", 11);
    djp__buf_clear(&out);
    assert_int_equal(djp__transport_memory_take(transport, &out), 1);
    assert_int_equal(out.size, 0);
    assert_int_equal(djp__transport_memory_take(NULL, &out), 0);
    transport->ops->free(transport);
    djp__buf_fini(&out);
}

static void
what_is_too_much_is_refused(void **state)
{
    enum { MIB = 1 << 20 };
    djp__transport *transport;
    char *body = calloc(1, MIB);
    (void)state;
    assert_non_null(body);
    assert_int_equal(djp__transport_memory_new(&transport), 0);
    int taken = 0;
    while (taken < 100 && memory_put(transport, body, MIB).outcome == DJP__SENT) {
        taken++;
    }
    assert_int_equal(taken, 63); /* the 64th and its size are over 64 MiB */
    djp__send_result result = memory_put(transport, body, MIB);
    assert_int_equal(result.outcome, DJP__SEND_REJECTED);
    assert_non_null(strstr(result.message, "64 MiB"));
    assert_int_equal(memory_put(transport, body, 1).outcome, DJP__SENT);
    transport->ops->free(transport);
    free(body);
}

static void
memory_that_fails_keeps_what_is_there(void **state)
{
    djp__transport *transport;
    djp__buf out;
    (void)state;
    djp__buf_init(&out, 0);
    djp__alloc_fail_after(1);
    assert_int_equal(djp__transport_memory_new(&transport), DJP_ENOMEM);
    djp__alloc_fail_after(0);
    assert_null(transport);
    assert_int_equal(djp__transport_memory_new(&transport), 0);
    djp__alloc_fail_after(1);
    djp__send_result result = memory_put(transport, "abc", 3);
    djp__alloc_fail_after(0);
    assert_int_equal(result.outcome, DJP__SEND_REJECTED);
    assert_string_equal(result.message, "out of memory");
    assert_int_equal(memory_put(transport, "d", 1).outcome, DJP__SENT);
    assert_int_equal(djp__transport_memory_take(transport, &out), 1);
    assert_int_equal(out.size, 5);
    transport->ops->free(transport);
    djp__buf_fini(&out);
}

static void
a_child_has_nothing_of_its_parent(void **state)
{
    djp__transport *transport;
    djp__buf out;
    (void)state;
    djp__buf_init(&out, 0);
    assert_int_equal(djp__transport_memory_new(&transport), 0);
    memory_put(transport, "abc", 3);
    transport->ops->abandon(transport);
    assert_int_equal(djp__transport_memory_take(transport, &out), 1);
    assert_int_equal(out.size, 0);
    assert_int_equal(memory_put(transport, "d", 1).outcome, DJP__SENT);
    transport->ops->free(NULL);
    transport->ops->free(transport);
    djp__buf_fini(&out);
}

static djp__transport *shared;

static void
put_one(void)
{
    memory_put(shared, "abc", 3);
}

static void
take_all(void)
{
    djp__buf out;
    djp__buf_init(&out, 0);
    djp__transport_memory_take(shared, &out);
    djp__buf_fini(&out);
}

static void
sending_and_taking_exclude_each_other(void **state)
{
    (void)state;
    assert_int_equal(djp__transport_memory_new(&shared), 0);
    djp_mutex *mutex = &((memory_transport *)shared)->mutex;
    assert_true(waits_for(mutex, put_one));
    assert_true(waits_for(mutex, take_all));
    assert_int_equal(((memory_transport *)shared)->stored.size, 0);
    shared->ops->free(shared);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_come_back_with_their_sizes),
        cmocka_unit_test(what_is_too_much_is_refused),
        cmocka_unit_test(memory_that_fails_keeps_what_is_there),
        cmocka_unit_test(sending_and_taking_exclude_each_other),
        cmocka_unit_test(a_child_has_nothing_of_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
