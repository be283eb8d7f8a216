/* Values that nest without an end or refer to themselves: what becomes of them is bounded,
 * within a memory limit of the test's own, so that a bound that is gone ends the child and not
 * the machine. */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdlib.h>

#include "span_fixture.h"

/* Runs act in a child with little memory and a small stack; 1 when it exits with 0 in time. */
static int
within_limits(void (*act)(void))
{
    pid_t child = fork();
    if (child == 0) {
        struct rlimit stack = {1u << 20, 1u << 20};
        setrlimit(RLIMIT_STACK, &stack);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        struct rlimit memory = {512u << 20, 512u << 20};
        setrlimit(RLIMIT_AS, &memory);
#endif
        struct rlimit core = {0, 0}, seconds = {20, 20};
        setrlimit(RLIMIT_CORE, &core);
        setrlimit(RLIMIT_CPU, &seconds);
        alarm(120);
        act();
        _exit(0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status == 0;
}

#define EXPECT(condition)              \
    do {                               \
        if (!(condition)) {            \
            _exit(__LINE__ % 250 + 1); \
        }                              \
    } while (0)

static djp__span_record *
recorded(const djp_value *value)
{
    djp_span *span = start("nested");
    djp_span_set_value(span, key("v"), value);
    djp_span_set_int(span, key("behind"), 7);
    djp_span_end(span, 0);
    djp_span_release(span);
    djp__span_record *record = span_reader_take(recorder);
    EXPECT(record && record->size <= DJP__RECORD_SIZE_MAX);
    EXPECT(span_reader_attribute(record, "behind") != NULL);
    return record;
}

static void
an_array_in_itself(void)
{
    djp_value self = {.type = DJP_ARRAY};
    self.as.array.items = &self;
    self.as.array.count = 1;
    djp__span_record *record = recorded(&self);
    const djp__item *item = span_reader_attribute(record, "v");
    int levels = 0;
    while (item != NULL && djp__item_type(item) == DJP_ARRAY && djp__item_size(item) > 0) {
        levels++;
        item = (const djp__item *)djp__item_payload(item);
    }
    EXPECT(levels == DJP_VALUE_DEPTH_MAX && djp__item_type(item) == DJP_EMPTY);
    free(record);
}

static void
a_map_in_itself(void)
{
    djp_attribute member = {{"m", 1}, {.type = DJP_MAP}};
    member.value.as.map.items = &member;
    member.value.as.map.count = 1;
    free(recorded(&member.value));
}

/* Two references at each level would be a thousand million values: the record is full long before,
 * and the value is left out. */
static void
a_tree_of_itself(void)
{
    djp_value pair[2] = {{.type = DJP_ARRAY}, {.type = DJP_ARRAY}};
    pair[0].as.array.items = pair[1].as.array.items = pair;
    pair[0].as.array.count = pair[1].as.array.count = 2;
    djp__span_record *record = recorded(&pair[0]);
    EXPECT(span_reader_attribute(record, "v") == NULL);
    free(record);
}

static void
an_endless_count(void)
{
    static djp_value one = {.type = DJP_INT, .as.integer = 1};
    djp_value *many = malloc(sizeof one << 20);
    EXPECT(many);
    for (size_t i = 0; i < (size_t)1 << 20; i++) {
        many[i] = one;
    }
    djp_value array = {.type = DJP_ARRAY, .as.array = {many, (size_t)1 << 20}};
    djp__span_record *record = recorded(&array);
    EXPECT(span_reader_attribute(record, "v") == NULL);
    free(record);
    free(many);
}

static void
values_that_refer_to_themselves_are_bounded(void **state)
{
    (void)state;
    assert_true(within_limits(an_array_in_itself));
    assert_true(within_limits(a_map_in_itself));
    assert_true(within_limits(a_tree_of_itself));
    assert_true(within_limits(an_endless_count));
}

/* Depth, keys and bytes at their edges. */
static void
depth_at_its_edge(void **state)
{
    (void)state;
    for (int depth = DJP_VALUE_DEPTH_MAX - 1; depth <= DJP_VALUE_DEPTH_MAX + 1; depth++) {
        djp_value values[DJP_VALUE_DEPTH_MAX + 2];
        values[0] = (djp_value){.type = DJP_INT, .as.integer = 9};
        for (int i = 1; i <= depth; i++) {
            values[i] = (djp_value){.type = DJP_ARRAY, .as.array = {&values[i - 1], 1}};
        }
        djp_span *span = start("deep");
        djp_span_set_value(span, key("v"), &values[depth]);
        djp__span_record *record = finish(span);
        const djp__item *item = span_reader_attribute(record, "v");
        int levels = 0;
        while (djp__item_type(item) == DJP_ARRAY) {
            levels++;
            item = (const djp__item *)djp__item_payload(item);
        }
        assert_int_equal(levels, depth <= DJP_VALUE_DEPTH_MAX ? depth : DJP_VALUE_DEPTH_MAX);
        assert_int_equal(djp__item_type(item), depth <= DJP_VALUE_DEPTH_MAX ? DJP_INT : DJP_EMPTY);
        free(record);
    }
}

static void
bytes_and_names_at_their_edges(void **state)
{
    (void)state;
    djp__recorder_options options = span_reader_options();
    options.attribute_value_length_limit = 5;
    with_options(options);
    for (size_t size = 4; size <= 6; size++) {
        char name[DJP_KEY_SIZE_LIMIT + 2];
        size_t name_size = DJP_KEY_SIZE_LIMIT - 5 + size;
        memset(name, 'n', sizeof name);
        djp_attribute member = {{name, name_size},
                                {.type = DJP_BYTES, .as.text = {"abcdef", size}}};
        djp_value map = {.type = DJP_MAP, .as.map = {&member, 1}};
        djp_span *span = start("edges");
        djp_span_set_value(span, key("v"), &map);
        djp__span_record *record = finish(span);
        const djp__item *item =
            (const djp__item *)djp__item_payload(span_reader_attribute(record, "v"));
        assert_int_equal(djp__item_kind(item), DJP_ITEM_KEY);
        assert_int_equal(djp__item_size(item),
                         name_size < DJP_KEY_SIZE_LIMIT ? name_size : DJP_KEY_SIZE_LIMIT);
        item = djp__item_next(item);
        assert_int_equal(djp__item_type(item), DJP_BYTES);
        assert_int_equal(djp__item_size(item), size < 5 ? size : 5);
        free(record);
    }
}

/* In a nearly full record a text takes half of what is left; less than 64 bytes are not worth it.
 */
static void
a_text_takes_a_share_or_is_left_out(void **state)
{
    static char text[1024];
    size_t least = SIZE_MAX;
    int is_left_out = 0;
    (void)state;
    memset(text, 't', sizeof text);
    for (size_t filler = 200; filler < 1000 && !is_left_out; filler += 8) {
        djp__recorder_options options = span_reader_options();
        options.ring_bytes = 4096; /* records of 1 KiB at most */
        with_options(options);
        djp_span *span = start("share");
        djp_span_set_string(span, key("filler"), (djp_text){text, filler});
        djp_span_set_string(span, key("text"), (djp_text){text, 600});
        djp__span_record *record = finish(span);
        const djp__item *item = span_reader_attribute(record, "text");
        assert_int_equal(record->dropped_attributes, item == NULL);
        is_left_out = item == NULL;
        if (item != NULL) {
            least = djp__item_size(item) < least ? djp__item_size(item) : least;
        }
        free(record);
    }
    assert_true(is_left_out);
    assert_int_equal(least, 64);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_that_refer_to_themselves_are_bounded, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_text_takes_a_share_or_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(depth_at_its_edge, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bytes_and_names_at_their_edges, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
