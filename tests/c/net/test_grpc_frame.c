/* The frame and the time limit of a gRPC call, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/grpc_frame.h"

static void
frames_are_bounded(void **state)
{
    (void)state;
    uint8_t frame[DJP__GRPC_FRAME_SIZE];
    djp_text message;
    djp__grpc_frame(frame, 1, 0x01020304);
    assert_memory_equal(frame, "\1\1\2\3\4", 5);
    djp__grpc_frame(frame, 0, UINT32_MAX);
    assert_memory_equal(frame, "\0\xff\xff\xff\xff", 5);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){NULL, 0}), 0);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){"\0\0\0\0", 4}), 0);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){"\0\0\0\0\0", 5}), 1);
    assert_int_equal(message.size, 0);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){"\0\0\0\0\2ab", 7}), 1);
    assert_int_equal(message.size, 2);
    assert_memory_equal(message.data, "ab", 2);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){"\0\0\0\0\3ab", 7}), 0);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){"\0\xff\xff\xff\xff"
                                                               "ab",
                                                               7}),
                     0);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){"\1\0\0\0\2ab", 7}), 0);
    char big[DJP__GRPC_FRAME_SIZE + 0x10203] = {0, 0, 1, 2, 3};
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){big, sizeof big}), 1);
    assert_int_equal(message.size, 0x10203);
    assert_int_equal(djp__grpc_message_in(&message, (djp_text){big, sizeof big - 1}), 0);
}

static void
timeouts_have_at_most_eight_digits(void **state)
{
    (void)state;
    char text[32];
    djp__grpc_timeout(text, sizeof text, 0);
    assert_string_equal(text, "grpc-timeout: 1m");
    djp__grpc_timeout(text, sizeof text, UINT64_C(9500999999));
    assert_string_equal(text, "grpc-timeout: 9500m");
    djp__grpc_timeout(text, sizeof text, UINT64_C(99999999) * 1000000);
    assert_string_equal(text, "grpc-timeout: 99999999m");
    djp__grpc_timeout(text, sizeof text, UINT64_C(100000000) * 1000000);
    assert_string_equal(text, "grpc-timeout: 100000S");
    djp__grpc_timeout(text, sizeof text, UINT64_MAX);
    assert_string_equal(text, "grpc-timeout: 99999999S");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_bounded),
        cmocka_unit_test(timeouts_have_at_most_eight_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
