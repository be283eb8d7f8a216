/* The tracestate list: which members are accepted, which go when it is too long, and what a change
 * leaves. The shared vectors of received fields are in test_context.c. */
#include "vectors.h"

#include "heap.h"

enum { PART_MAX = 256, LONG_MEMBER = 128 };

/* Reads one field in a block of just its size: 1 when all of it is accepted. */
static int
parse(djp_tracestate **out, const char *text, size_t size)
{
    char *exact = malloc(size + 1);
    memcpy(exact, text, size);
    djp_header field = {exact, size};
    *out = (djp_tracestate *)exact; /* set in every case */
    int good = djp_tracestate_parse(out, &field, 1);
    assert_true(good || *out == NULL);
    free(exact);
    return good;
}

static void
reads(const char *text, const char *want)
{
    djp_tracestate *state;
    int good = parse(&state, text, strlen(text));
    if (good != (want != NULL)) {
        fail_msg("%s: %d", text, good);
    }
    if (good) {
        assert_text(djp_tracestate_text(state), (djp_text){want, strlen(want)}, text);
    }
    djp_tracestate_unref(state);
}

/* ---- members ---- */

static void
reads_if(const char *text, int good)
{
    reads(text, good ? text : NULL);
}

/* Commas and, at an end, blanks separate members: they are no part of one. */
static void
characters_have_their_places(void **state)
{
    (void)state;
    static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char later[] = "abcdefghijklmnopqrstuvwxyz0123456789_-*/@";
    for (int c = 1; c < 256; c++) {
        char at_first[] = {(char)c, '=', '1', '\0'}, at_second[] = {'a', (char)c, '=', '1', '\0'};
        char value[] = {'a', '=', 'x', (char)c, 'x', '\0'}, end[] = {'a', '=', 'x', (char)c, '\0'};
        int printed = c >= 0x20 && c <= 0x7e && c != '=';
        if (c == ',' || c == '=') {
            reads("a=x=x", NULL);
            continue;
        }
        reads_if(at_second, strchr(later, c) != NULL);
        reads_if(value, printed);
        if (c != ' ' && c != '\t') {
            reads_if(at_first, strchr(first, c) != NULL);
            reads_if(end, printed);
        }
    }
    djp_tracestate *list;
    assert_false(parse(&list, "a\0=1", 4));
    assert_false(parse(&list, "a=1\0", 4));
    reads("=1", NULL);
    reads("a=", NULL);
    reads("a", NULL);
    reads("a=1,b", NULL);
    reads("a=1=2", NULL);
    reads("a==", NULL);
}

static void
blanks_and_empty_members_are_left_out(void **state)
{
    (void)state;
    reads("", "");
    reads(" , ,\t", "");
    reads(" a=1 ,\tb=2\t", "a=1,b=2");
    reads(",a=1,,b=2,", "a=1,b=2");
    reads("a= 1", "a= 1");
    reads("a=1 2", "a=1 2");
}

static void
parts_are_bounded(void **state)
{
    (void)state;
    for (size_t size = PART_MAX - 1; size <= PART_MAX + 1; size++) {
        char text[2 * PART_MAX + 8];
        djp_tracestate *list;
        memset(text, 'k', size);
        memcpy(text + size, "=1", 2);
        assert_int_equal(parse(&list, text, size + 2), size <= PART_MAX);
        assert_int_equal(djp_tracestate_text(list).size, size <= PART_MAX ? size + 2 : 0);
        djp_tracestate_unref(list);
        memset(text, 'v', sizeof text);
        memcpy(text, "a=", 2);
        assert_int_equal(parse(&list, text, size + 2), size <= PART_MAX);
        djp_tracestate_unref(list);
        djp_text name = {text + 2, size};
        list = djp_tracestate_set(NULL, name, DJP_TEXT("1"));
        assert_int_equal(list != NULL, size <= PART_MAX);
        djp_tracestate_unref(list);
        list = djp_tracestate_set(NULL, DJP_TEXT("a"), name);
        assert_int_equal(list != NULL, size <= PART_MAX);
        djp_tracestate_unref(list);
    }
    char longest[PART_MAX];
    memset(longest, 'x', sizeof longest);
    djp_tracestate *list =
        djp_tracestate_set(NULL, (djp_text){longest, PART_MAX}, (djp_text){longest, PART_MAX});
    assert_int_equal(djp_tracestate_text(list).size, 2 * PART_MAX + 1);
    djp_tracestate_unref(list);
}

/* The first of a repeated key is the latest; each counts towards the 32. */
static void
members_are_bounded(void **state)
{
    (void)state;
    reads("a=1,b=2,a=3", "a=1,b=2");
    reads("a=1,ab=2,a=3", "a=1,ab=2");
    for (int repeated = 0; repeated < 2; repeated++) {
        for (size_t count = DJP_TRACESTATE_MEMBERS_MAX - 1; count <= DJP_TRACESTATE_MEMBERS_MAX + 1;
             count++) {
            char text[512] = "";
            size_t size = 0;
            djp_tracestate *list;
            for (size_t i = 0; i < count; i++) {
                size += (size_t)sprintf(text + size, "k%zu=v,", repeated ? i / 2 : i);
            }
            assert_int_equal(parse(&list, text, size), count <= DJP_TRACESTATE_MEMBERS_MAX);
            djp_tracestate_unref(list);
        }
    }
}

static void
fields_are_one_list(void **state)
{
    (void)state;
    djp_tracestate *list;
    djp_header fields[4] = {{"a=1", 3}, {NULL, 5}, {"b=2,a=3", 7}, {"c=4", 3}};
    assert_true(djp_tracestate_parse(&list, fields, 4));
    assert_text(djp_tracestate_text(list), DJP_TEXT("a=1,b=2,c=4"), "joined");
    djp_tracestate_unref(list);
    fields[2].data = "b=2,A=3";
    assert_false(djp_tracestate_parse(&list, fields, 4));
    assert_null(list);
    assert_true(djp_tracestate_parse(&list, fields, 0));
    assert_null(list);
}

/* ---- too long ---- */

/* "KEY=" and so many bytes in all. */
static size_t
put_member(char *out, char key, size_t size)
{
    memset(out, 'v', size);
    out[0] = key;
    out[1] = '=';
    out[size] = ',';
    return size + 1;
}

/* Members of these sizes, with the keys a, b, c ..., and the keys of those that are left. */
static void
leaves(const size_t *sizes, size_t count, const char *want)
{
    char text[8192], left[27] = "";
    size_t size = 0, kept = 0;
    djp_tracestate *list;
    for (size_t i = 0; i < count; i++) {
        size += put_member(text + size, (char)('a' + i), sizes[i]);
    }
    assert_true(parse(&list, text, size - 1));
    djp_text rest = djp_tracestate_text(list);
    assert_true(rest.size <= DJP_TRACESTATE_SIZE_MAX);
    for (size_t at = 0; at < rest.size; at++) {
        if (at == 0 || rest.data[at - 1] == ',') {
            left[kept++] = rest.data[at];
        }
    }
    assert_string_equal(left, want);
    djp_tracestate_unref(list);
}

static void
long_members_go_first(void **state)
{
    (void)state;
    /* 1,024 bytes with the commas fit */
    leaves((size_t[]){255, 255, 255, 256}, 4, "abcd");
    leaves((size_t[]){255, 255, 255, 257}, 4, "abc");
    leaves((size_t[]){200, 200, 200, 200, 200, 19}, 6, "abcdef");
    leaves((size_t[]){200, 200, 200, 200, 200, 20}, 6, "abcdf");
    /* a long one goes although it is the first, from the end and no more than needed */
    leaves((size_t[]){129, 100, 100, 100, 100, 100, 100, 100, 100, 100}, 10, "bcdefghij");
    leaves((size_t[]){129, 129, 100, 100, 100, 100, 100, 100, 100, 100}, 10, "acdefghij");
    leaves((size_t[]){129, 129, 128, 128, 128, 128, 128, 128, 128, 128}, 10, "cdefghi");
    /* 128 bytes are not long: then the last go */
    leaves((size_t[]){128, 128, 128, 128, 128, 128, 128, 128}, 8, "abcdefg");
    leaves((size_t[]){120, 128, 120, 120, 120, 120, 120, 120, 100}, 9, "abcdefgh");
    leaves((size_t[]){250, 128, 128, 128, 128, 128, 128, 128, 128, 128}, 10, "bcdefgh");
}

/* A member that is set stays, however long it is. */
static void
what_is_set_stays(void **state)
{
    (void)state;
    char text[2048], value[PART_MAX];
    size_t size = 0;
    djp_tracestate *list;
    memset(value, 'n', sizeof value);
    for (int i = 0; i < 5; i++) {
        size += put_member(text + size, (char)('a' + i), 200);
    }
    assert_true(parse(&list, text, size - 1));
    djp_tracestate *next =
        djp_tracestate_set(list, DJP_TEXT("new"), (djp_text){value, sizeof value});
    assert_int_equal(djp_tracestate_get(next, DJP_TEXT("new")).size, sizeof value);
    assert_memory_equal(djp_tracestate_text(next).data, "new=", 4);
    assert_int_equal(djp_tracestate_get(next, DJP_TEXT("c")).size, 198);
    assert_null(djp_tracestate_get(next, DJP_TEXT("d")).data);
    djp_tracestate_unref(next);
    djp_tracestate_unref(list);
    size = 0;
    for (int i = 0; i < 8; i++) {
        size += put_member(text + size, (char)('a' + i), LONG_MEMBER - 4);
    }
    assert_true(parse(&list, text, size - 1));
    next = djp_tracestate_set(list, DJP_TEXT("new"), (djp_text){value, LONG_MEMBER});
    assert_int_equal(djp_tracestate_get(next, DJP_TEXT("new")).size, LONG_MEMBER);
    assert_non_null(djp_tracestate_get(next, DJP_TEXT("g")).data);
    assert_null(djp_tracestate_get(next, DJP_TEXT("h")).data);
    djp_tracestate_unref(next);
    djp_tracestate_unref(list);
    size = 0;
    for (int i = 0; i < 5; i++) {
        size += put_member(text + size, (char)('a' + i), 200);
    }
    assert_true(parse(&list, text, size - 1));
    next = djp_tracestate_set(list, DJP_TEXT("a"), DJP_TEXT("")); /* removed: nothing else goes */
    assert_int_equal(djp_tracestate_text(next).size, 4 * 201 - 1);
    djp_tracestate_unref(next);
    djp_tracestate_unref(list);
}

/* ---- changes ---- */

static void
a_change_leaves_the_others(void **state)
{
    (void)state;
    static const struct {
        const char *list, *key, *value, *want;
    } cases[] = {
        {"a=1,b=2", "b", "3", "b=3,a=1"},
        {"a=1,b=2", "c", "3", "c=3,a=1,b=2"},
        {"a=1,ab=2", "a", "", "ab=2"},
        {"ab=2,a=1", "a", "", "ab=2"},
        {"a=1", "ab", "", "a=1"},
        {"a=1", "b", "", "a=1"},
        {"a=1", "a", "", NULL},
        {"", "a", "1", "a=1"},
        {"", "a", "", NULL},
        {"a=1", "A", "1", NULL},
        {"a=1", "", "1", NULL},
        {"a=1", "a", ",", NULL},
        {"a=1", "a", " ", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_tracestate *list = state_of(djp_text_of(cases[i].list));
        djp_tracestate *next =
            djp_tracestate_set(list, djp_text_of(cases[i].key), djp_text_of(cases[i].value));
        if ((next != NULL) != (cases[i].want != NULL)) {
            fail_msg("%s, %s=%s", cases[i].list, cases[i].key, cases[i].value);
        }
        assert_text(djp_tracestate_text(next), djp_text_of(cases[i].want), cases[i].list);
        assert_text(djp_tracestate_text(list), djp_text_of(cases[i].list), "unchanged");
        djp_tracestate_unref(next);
        djp_tracestate_unref(list);
    }
}

/* Text ends in NUL, also where the memory was used before. */
static void
text_ends_in_nul(void **state)
{
    (void)state;
    for (size_t size = 3; size < 120; size++) {
        char text[128];
        memset(text, 'v', sizeof text);
        memcpy(text, "a=", 2);
        void *used[4];
        for (int i = 0; i < 4; i++) {
            used[i] = memset(malloc(size + 9), 'x', size + 9);
        }
        for (int i = 0; i < 4; i++) {
            free(used[i]);
        }
        djp_tracestate *list = state_of((djp_text){text, size});
        assert_int_equal(djp_tracestate_text(list).size, size);
        assert_int_equal(djp_tracestate_text(list).data[size], 0);
        djp_tracestate_unref(list);
    }
}

static void
no_key_is_no_key(void **state)
{
    (void)state;
    djp_tracestate *list = state_of(DJP_TEXT("a=1"));
    for (size_t size = 0; size < 4; size++) {
        assert_null(djp_tracestate_get(list, (djp_text){NULL, size}).data);
        assert_null(djp_tracestate_set(list, (djp_text){NULL, size}, DJP_TEXT("1")));
    }
    djp_tracestate_unref(list);
}

static void
read_change_and_drop(void)
{
    djp_tracestate *list = state_of(DJP_TEXT("a=1,b=2"));
    djp_tracestate *next = djp_tracestate_set(list, DJP_TEXT("c"), DJP_TEXT("3"));
    djp_tracestate *again = djp_tracestate_ref(next);
    assert_ptr_equal(again, next);
    djp_tracestate_unref(next);
    assert_text(djp_tracestate_text(again), DJP_TEXT("c=3,a=1,b=2"), "still there");
    djp_tracestate_unref(again);
    djp_tracestate_unref(list);
    djp_header bad = {"a=1,B=2", 7};
    djp_tracestate_parse(&list, &bad, 1);
}

static void
the_last_reference_frees_it(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(read_change_and_drop, 50), 0);
    djp_header field = {"a=1", 3};
    djp_tracestate *list;
    djp__alloc_fail_after(1);
    int good = djp_tracestate_parse(&list, &field, 1);
    djp__alloc_fail_after(0);
    assert_false(good);
    assert_null(list);
}

static void
test_tracestate_set_vectors(void **unused)
{
    (void)unused;
    json *vectors = json_load("tracestate_set.json");
    const json *cases = json_get(vectors, "cases");
    assert_true(json_count(cases) >= 18);
    for (size_t i = 0; i < json_count(cases); i++) {
        const json *item = json_at(cases, i);
        const char *name = json_string(json_get(item, "case"), "?");
        djp_tracestate *state = state_of(text_of(json_get(item, "state")));
        djp_text key = text_of(json_get(item, "key"));
        djp_text value = text_of(json_get(item, "value"));
        djp_tracestate *result = djp_tracestate_set(state, key, value);
        const json *want = json_get(item, "result");
        assert_text(djp_tracestate_text(state), text_of(json_get(item, "state")),
                    "the old list changed");
        if (json_is_null(want)) {
            assert_null(result);
        } else {
            assert_text(djp_tracestate_text(result), text_of(want), name);
            assert_text(djp_tracestate_get(result, key), value, name);
        }
        djp_tracestate_unref(result);
        djp_tracestate_unref(state);
    }
    json_free(vectors);
}

static void
test_tracestate_references_and_get(void **unused)
{
    (void)unused;
    djp_tracestate *state = state_of((djp_text){"foo=1,bar=22", 12});
    djp_span_context first = {.trace_id = {1}, .span_id = {2}, .state = state};
    djp_span_context second;
    djp_span_context_copy(&second, &first);
    djp_span_context_clear(&first);
    assert_null(first.state);
    assert_text(djp_tracestate_get(second.state, DJP_TEXT("bar")), (djp_text){"22", 2}, "bar");
    assert_null(djp_tracestate_get(second.state, DJP_TEXT("ba")).data);
    assert_null(djp_tracestate_get(second.state, DJP_TEXT("")).data);
    assert_null(djp_tracestate_get(NULL, DJP_TEXT("bar")).data);
    djp_span_context_clear(&second);
    djp_span_context_clear(NULL);
    djp_tracestate_unref(NULL);
    assert_null(djp_tracestate_ref(NULL));
    assert_int_equal(djp_tracestate_text(NULL).size, 0);
    assert_null(djp_tracestate_set(NULL, (djp_text){NULL, 0}, (djp_text){NULL, 0}));
    assert_null(djp_tracestate_set(NULL, DJP_TEXT("a"), (djp_text){NULL, 3}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_have_their_places),
        cmocka_unit_test(blanks_and_empty_members_are_left_out),
        cmocka_unit_test(parts_are_bounded),
        cmocka_unit_test(members_are_bounded),
        cmocka_unit_test(fields_are_one_list),
        cmocka_unit_test(long_members_go_first),
        cmocka_unit_test(what_is_set_stays),
        cmocka_unit_test(a_change_leaves_the_others),
        cmocka_unit_test(text_ends_in_nul),
        cmocka_unit_test(no_key_is_no_key),
        cmocka_unit_test(the_last_reference_frees_it),
        cmocka_unit_test(test_tracestate_set_vectors),
        cmocka_unit_test(test_tracestate_references_and_get),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
