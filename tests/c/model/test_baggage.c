/* Baggage at its edges: how much is looked at, how many members and bytes go on, and which
 * characters may stand where. */
#include "heap.h"
#include "vectors.h"

enum { LOOKED_AT = 65536 };

/* From a block of just its size. */
static djp_baggage *
parse(const char *text)
{
    char *exact = malloc(strlen(text) + 1);
    memcpy(exact, text, strlen(text));
    djp_header field = {exact, strlen(text)};
    djp_baggage *baggage = djp_baggage_parse(&field, 1);
    free(exact);
    return baggage;
}

static void
reads(const char *text, const char *want)
{
    djp_baggage *baggage = parse(text);
    djp_text got = djp_baggage_text(baggage);
    if (got.size != strlen(want) || memcmp(got.data, want, got.size) != 0) {
        fail_msg("%s: %.*s", text, (int)got.size, got.data);
    }
    djp_baggage_free(baggage);
}

/* Members beyond 64 KiB are not looked at, neither in the field where that is reached nor behind
 * it. A member that just fits ends the reading; it does not open it again. */
static void
what_is_looked_at_is_bounded(void **state)
{
    (void)state;
    for (size_t first = LOOKED_AT - 14; first <= LOOKED_AT - 4; first++) {
        char *text = malloc(first + 64);
        memset(text, 'x', first); /* no pair: it is not taken, but looked at */
        memcpy(text + first, ",a=b,c=d,", 10);
        memset(text + first + 9, 'y', 20);
        memcpy(text + first + 29, ",e=f", 5);
        djp_header fields[2] = {{text, strlen(text)}, {"g=h", 3}};
        djp_baggage *baggage = djp_baggage_parse(fields, 2);
        djp_text got = djp_baggage_text(baggage);
        /* What is left of the bound behind the first member and its comma. */
        size_t left = LOOKED_AT - first - 1;
        const char *want = left <= 3       ? ""
                           : left - 4 <= 3 ? "a=b"
                           : left - 8 <= 3 ? "a=b,c=d"
                                           : "a=b,c=d,g=h";
        if (got.size != strlen(want) || (got.size && memcmp(got.data, want, got.size) != 0)) {
            fail_msg("%zu left: \"%.*s\", not \"%s\"", left, (int)got.size, got.data, want);
        }
        djp_baggage_free(baggage);
        free(text);
    }
}

static void
members_are_bounded(void **state)
{
    (void)state;
    for (size_t count = DJP_BAGGAGE_MEMBERS_MAX - 1; count <= DJP_BAGGAGE_MEMBERS_MAX + 1;
         count++) {
        char text[4096] = "";
        size_t size = 0;
        for (size_t i = 0; i < count; i++) {
            size += (size_t)sprintf(text + size, "k%zu=v,", i);
        }
        djp_baggage *baggage = parse(text);
        size_t kept = count < DJP_BAGGAGE_MEMBERS_MAX ? count : DJP_BAGGAGE_MEMBERS_MAX;
        assert_int_equal(djp_baggage_count(baggage), kept);
        djp_baggage_entry new = {{"new", 3}, {"v", 1}, {NULL, 0}},
                          old = {{"k0", 2}, {"w", 1}, {NULL, 0}};
        djp_baggage *more = djp_baggage_set(baggage, &new);
        assert_true((more == NULL) == (kept == DJP_BAGGAGE_MEMBERS_MAX));
        djp_baggage_free(more);
        more = djp_baggage_set(baggage, &old);
        assert_int_equal(djp_baggage_count(more), kept);
        djp_baggage_free(more);
        djp_baggage_free(baggage);
    }
}

/* 8,192 bytes go on; the member that would pass them is left out, a shorter one behind it is
 * not. */
static void
bytes_are_bounded(void **state)
{
    (void)state;
    for (size_t size = DJP_BAGGAGE_SIZE_MAX - 6; size <= DJP_BAGGAGE_SIZE_MAX + 2; size++) {
        char *text = calloc(1, size + 32);
        memset(text, 'v', size);
        memcpy(text, "k=", 2);
        memcpy(text + size, ",a=b", 5);
        djp_baggage *baggage = parse(text);
        size_t want = size > DJP_BAGGAGE_SIZE_MAX       ? 3
                      : size + 4 > DJP_BAGGAGE_SIZE_MAX ? size
                                                        : size + 4;
        assert_int_equal(djp_baggage_text(baggage).size, want);
        djp_baggage_free(baggage);
        djp_baggage_entry item = {{"k", 1}, {text + 2, size - 2}, {NULL, 0}};
        baggage = djp_baggage_set(NULL, &item);
        assert_true((baggage != NULL) == (size <= DJP_BAGGAGE_SIZE_MAX));
        djp_baggage_free(baggage);
        free(text);
    }
}

static void
characters_have_their_places(void **state)
{
    (void)state;
    reads("a=b", "a=b");
    reads(" a = b ", "a=b");
    reads("a=", "a=");
    reads("=b", "");
    reads("a", "");
    reads("a=b=c", "a=b=c");
    reads("a=b;p;q=1", "a=b;p;q=1");
    reads("a=b;p=;;=x;r s;t=\"", "a=b;p=");
    reads("a=b; p = 1 ; q", "a=b;p=1;q");
    reads("a=b,a=c,d=e", "a=c,d=e");
    reads("a=\"", "");
    reads("a=\\", "");
    reads("a=b c", "");
    reads("a=\x7f", "");
    reads("a=\x80", "");
    reads("a=!+", "a=!%2B");
    reads("a=~", "a=~");
    reads("!#$%&'*+-.^_`|~09azAZ=1", "!#$%&'*+-.^_`|~09azAZ=1");
    reads("a/=1,b:=1,c@=1,d[=1,e{=1,f=1", "f=1");
    reads("a=%41", "a=A");
    reads("a=%4a%4A%4f", "a=JJO");
    reads("a=%4g", "a=%254g");
    reads("a=%4", "a=%254");
    reads("a=%", "a=%25");
    reads("a=%g1", "a=%25g1");
    reads("a=%4@", "a=%254@");
    reads("a=%@4", "a=%25@4");
    reads("ab=1,a=2", "ab=1,a=2");
    reads("a=1,ab=2", "a=1,ab=2");
    reads("a=%c3%bc", "a=%C3%BC");
    reads("a=%ff", "a=%EF%BF%BD");
}

/* Values are kept decoded; what is set is not decoded again. */
static void
entries_are_those_that_were_set(void **state)
{
    (void)state;
    djp_baggage_entry entry, item = {{"k", 1}, {"50%41 + 1", 9}, {"p=1", 3}};
    djp_baggage *baggage = djp_baggage_set(NULL, &item);
    assert_true(djp_baggage_entry_at(&entry, baggage, 0));
    assert_int_equal(entry.value.size, 9);
    assert_memory_equal(entry.value.data, "50%41 + 1", 9);
    assert_memory_equal(djp_baggage_text(baggage).data, "k=50%2541%20%2B%201;p=1", 23);
    item.value = (djp_text){"", 0};
    item.key = (djp_text){"m", 1};
    item.properties = (djp_text){NULL, 0};
    djp_baggage *more = djp_baggage_set(baggage, &item);
    assert_int_equal(djp_baggage_count(more), 2);
    assert_true(djp_baggage_entry_at(&entry, more, 1));
    assert_int_equal(entry.value.size, 0);
    assert_int_equal(entry.properties.size, 0);
    assert_false(djp_baggage_entry_at(&entry, more, 2));
    assert_int_equal(entry.key.size, 0);
    djp_baggage *less = djp_baggage_remove(more, DJP_TEXT("k"));
    assert_int_equal(djp_baggage_count(less), 1);
    djp_baggage_free(less);
    less = djp_baggage_remove(more, DJP_TEXT("kk"));
    assert_int_equal(djp_baggage_count(less), 2);
    djp_baggage_free(less);
    less = djp_baggage_remove(more, (djp_text){NULL, 0});
    assert_int_equal(djp_baggage_count(less), 2);
    djp_baggage_free(less);
    djp_baggage_free(more);
    djp_baggage_free(baggage);
    item.properties = (djp_text){"bad property", 12};
    assert_null(djp_baggage_set(NULL, &item));
    item.properties = (djp_text){"p;;q", 4};
    baggage = djp_baggage_set(NULL, &item);
    assert_memory_equal(djp_baggage_text(baggage).data, "m=;p;q", 7);
    djp_baggage_free(baggage);
    item.key = (djp_text){"", 0};
    assert_null(djp_baggage_set(NULL, &item));
    item.key = (djp_text){NULL, 0};
    assert_null(djp_baggage_set(NULL, &item));
    item = (djp_baggage_entry){{"k", 1}, {NULL, 1}, {NULL, 0}};
    assert_null(djp_baggage_set(NULL, &item));
}

static void
check_baggage(const json *item)
{
    const char *name = json_string(json_get(item, "case"), "?");
    const json *sent = json_get(item, "fields");
    const json *entries = json_get(item, "entries");
    fields received = {.count = 0};
    for (size_t i = 0; i < json_count(sent); i++) {
        received.items[received.count++] = text_of(json_at(sent, i));
    }
    djp_baggage *baggage = djp_baggage_parse(received.items, received.count);
    assert_text(djp_baggage_text(baggage), text_of(json_get(item, "text")), name);
    assert_int_equal(djp_baggage_text(baggage).data[djp_baggage_text(baggage).size], 0);
    assert_int_equal(djp_baggage_count(baggage), json_count(entries));
    djp_baggage_entry entry;
    for (size_t i = 0; i < json_count(entries); i++) {
        assert_true(djp_baggage_entry_at(&entry, baggage, i));
        assert_text(entry.key, text_of(json_at(json_at(entries, i), 0)), name);
        assert_text(entry.value, text_of(json_at(json_at(entries, i), 1)), name);
        assert_text(entry.properties, text_of(json_at(json_at(entries, i), 2)), name);
    }
    assert_false(djp_baggage_entry_at(&entry, baggage, json_count(entries)));
    djp_baggage_free(baggage);
}

static void
test_baggage_vectors(void **unused)
{
    (void)unused;
    json *vectors = json_load("baggage.json");
    const json *cases = json_get(vectors, "cases");
    assert_true(json_count(cases) >= 40);
    for (size_t i = 0; i < json_count(cases); i++) {
        check_baggage(json_at(cases, i));
    }
    json_free(vectors);
}

static void
test_baggage_set_and_remove(void **unused)
{
    (void)unused;
    djp_baggage *baggage = set(set(set(NULL, "a", "1 2", ""), "b", "\xff", "p;q=1"), "a", "3,", "");
    assert_text(djp_baggage_text(baggage), (djp_text){"a=3%2C,b=%EF%BF%BD;p;q=1", 24}, "set");
    djp_baggage *fewer = djp_baggage_remove(baggage, DJP_TEXT("a"));
    assert_text(djp_baggage_text(fewer), (djp_text){"b=%EF%BF%BD;p;q=1", 17}, "remove");
    djp_baggage *same = djp_baggage_remove(fewer, DJP_TEXT("absent"));
    assert_int_equal(djp_baggage_count(same), 1);
    assert_null(djp_baggage_remove(same, DJP_TEXT("b")));
    assert_null(djp_baggage_remove(NULL, DJP_TEXT("b")));
    static const char *const refused[][3] = {
        {"", "1", ""}, {"a b", "1", ""}, {"a,", "1", ""}, {"a", "1", "p,q"}, {"a", "1", "\n"}};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        djp_baggage_entry entry = entry_of(refused[i][0], refused[i][1], refused[i][2]);
        assert_null(djp_baggage_set(baggage, &entry));
    }
    assert_null(djp_baggage_set(baggage, NULL));
    djp_baggage_entry bare = {{"k", 1}, {NULL, 0}, {NULL, 0}};
    djp_baggage *with_bare = djp_baggage_set(fewer, &bare);
    assert_text(djp_baggage_text(with_bare), (djp_text){"b=%EF%BF%BD;p;q=1,k=", 20}, "bare");
    djp_baggage_free(with_bare);
    djp_baggage_free(same);
    djp_baggage_free(fewer);
    djp_baggage_free(baggage);
}

static void
test_baggage_limits_of_set(void **unused)
{
    (void)unused;
    djp_baggage *baggage = NULL;
    char key[16];
    for (int i = 0; i < 180; i++) {
        snprintf(key, sizeof key, "k%d", i);
        baggage = set(baggage, key, "v", "");
    }
    assert_int_equal(djp_baggage_count(baggage), 180);
    djp_baggage_entry more = entry_of("more", "v", "");
    assert_null(djp_baggage_set(baggage, &more));
    djp_baggage_entry replaced = entry_of("k7", "w", "");
    djp_baggage *next = djp_baggage_set(baggage, &replaced);
    assert_int_equal(djp_baggage_count(next), 180);
    djp_baggage_free(next);
    char *big = calloc(1, 9001);
    assert_non_null(big);
    memset(big, 'x', 9000);
    djp_baggage_entry wide = entry_of("k1", big, "");
    assert_null(djp_baggage_set(NULL, &wide));
    big[8000] = '\0';
    wide = entry_of("k1", big, "");
    assert_null(djp_baggage_set(baggage, &wide));
    free(big);
    djp_baggage_free(baggage);
}

/* A value that is set must fit, whichever of the list it is. */
static void
a_value_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    static char large[DJP_BAGGAGE_SIZE_MAX];
    memset(large, 'v', sizeof large);
    djp_baggage *baggage = parse("a=1,b=2");
    djp_baggage_entry item = {{"a", 1}, {large, sizeof large - 1}, {NULL, 0}};
    assert_null(djp_baggage_set(baggage, &item));
    item.value.size = sizeof large - 2 - 4; /* with the other one it just fits */
    djp_baggage *more = djp_baggage_set(baggage, &item);
    assert_int_equal(djp_baggage_text(more).size, DJP_BAGGAGE_SIZE_MAX);
    djp_baggage_free(more);
    memset(large, '\xff', sizeof large); /* each byte takes three, and nine in the text */
    assert_null(djp_baggage_set(baggage, &item));
    item.value.size = 500;
    more = djp_baggage_set(baggage, &item);
    assert_int_equal(djp_baggage_text(more).size, 2 + 9 * 500 + 4);
    djp_baggage_free(more);
    djp_baggage_free(baggage);
}

static void
keys_and_properties_are_checked(void **state)
{
    (void)state;
    static const djp_baggage_entry refused[] = {
        {{"a\0b", 3}, {"1", 1}, {NULL, 0}},  {{NULL, 3}, {"1", 1}, {NULL, 0}},
        {{"a", 1}, {"1", 1}, {"p=1,2", 5}},  {{"a", 1}, {"1", 1}, {"p=\"1\"", 5}},
        {{"a", 1}, {"1", 1}, {"p;q=\\", 5}}, {{"a", 1}, {"1", 1}, {"=1", 2}},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_null(djp_baggage_set(NULL, &refused[i]));
    }
    djp_baggage_entry item = {{"a", 1}, {"1", 1}, {NULL, 4}}; /* no properties */
    djp_baggage *baggage = djp_baggage_set(NULL, &item);
    assert_text(djp_baggage_text(baggage), DJP_TEXT("a=1"), "without properties");
    djp_baggage_free(baggage);
}

/* The list that is changed is not decoded again; only the whole key is removed. */
static void
the_rest_of_a_list_stays(void **state)
{
    (void)state;
    djp_baggage *baggage = parse("a=50%2541,c=b");
    djp_baggage_entry item = {{"d", 1}, {"3", 1}, {NULL, 0}};
    djp_baggage *more = djp_baggage_set(baggage, &item);
    assert_text(djp_baggage_text(more), DJP_TEXT("a=50%2541,c=b,d=3"), "set");
    djp_baggage_free(more);
    static const djp_text absent[] = {{"ab", 2}, {NULL, 1}, {"", 0}, {"b", 1}};
    for (size_t i = 0; i < 4; i++) {
        djp_baggage *same = djp_baggage_remove(baggage, absent[i]);
        assert_text(djp_baggage_text(same), DJP_TEXT("a=50%2541,c=b"), "nothing to remove");
        djp_baggage_free(same);
    }
    djp_baggage *less = djp_baggage_remove(baggage, DJP_TEXT("c"));
    assert_text(djp_baggage_text(less), DJP_TEXT("a=50%2541"), "removed");
    djp_baggage_free(less);
    djp_baggage_free(baggage);
}

/* Whichever allocation fails, there is all of it or nothing. */
static void
change_without_memory(void)
{
    djp_baggage *baggage = parse("a=%41;p=1,b=2");
    djp_baggage_entry item = {{"c", 1}, {"some value", 10}, {"q=2;r", 5}};
    int complete = 0;
    for (long n = 1; n < 40 && !complete; n++) {
        djp__alloc_fail_once(n);
        djp_baggage *more = djp_baggage_set(baggage, &item);
        djp__alloc_fail_after(0);
        if (more != NULL) {
            assert_text(djp_baggage_text(more), DJP_TEXT("a=A;p=1,b=2,c=some%20value;q=2;r"),
                        "all");
            complete = n > 6;
        }
        djp_baggage_free(more);
    }
    assert_true(complete);
    djp_baggage_free(baggage);
}

static void
without_memory_there_is_all_or_nothing(void **state)
{
    (void)state;
    assert_int_equal(heap_growth(change_without_memory, 30), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_looked_at_is_bounded),
        cmocka_unit_test(members_are_bounded),
        cmocka_unit_test(bytes_are_bounded),
        cmocka_unit_test(characters_have_their_places),
        cmocka_unit_test(entries_are_those_that_were_set),
        cmocka_unit_test(a_value_that_does_not_fit_is_refused),
        cmocka_unit_test(keys_and_properties_are_checked),
        cmocka_unit_test(the_rest_of_a_list_stays),
        cmocka_unit_test(without_memory_there_is_all_or_nothing),
        cmocka_unit_test(test_baggage_vectors),
        cmocka_unit_test(test_baggage_set_and_remove),
        cmocka_unit_test(test_baggage_limits_of_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
