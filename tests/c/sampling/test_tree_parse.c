/* The text of a tree of samplers at its bounds: levels, nodes, conditions, attributes, texts and
 * numbers, and which place a mistake is reported at. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "djp/djp.h"
#include "djp/error.h"
#include "djp/sampler.h"

/* 0, or the code of the mistake. */
static int
parse(djp_sampler_error *error, const char *text, size_t size)
{
    djp_sampler *tree = NULL;
    int result = djp_sampler_parse(&tree, (djp_text){text, size}, error);
    assert_true((tree != NULL) == (result == 0));
    djp_sampler_free(tree);
    return result;
}

static int
parse_text(const char *text)
{
    djp_sampler_error error;
    return parse(&error, text, strlen(text));
}

/* `begin`, count times `part`, then `end`. */
static int
parse_repeated(const char *begin, const char *part, size_t count, const char *end)
{
    djp__buf text;
    djp_sampler_error error;
    djp__buf_init(&text, 0);
    djp__buf_text(&text, begin);
    for (size_t i = 0; i < count; i++) {
        djp__buf_text(&text, part);
    }
    djp__buf_text(&text, end);
    int result = parse(&error, text.data, text.size);
    djp__buf_fini(&text);
    return result;
}

/* Only what lies inside of each other counts as depth: any number may stand side by side. */
static void
many_samplers_side_by_side(void **state)
{
    (void)state;
    for (size_t count = 14; count <= 40; count++) {
        assert_int_equal(parse_repeated("rule_based(any => probability(0.5)",
                                        ", any => probability(0.5)", count, ")"),
                         0);
        assert_int_equal(parse_repeated("rule_based(any => always_on",
                                        ", any => parent_threshold(rate_limited(5))", count, ")"),
                         0);
    }
}

static void
levels_are_bounded(void **state)
{
    (void)state;
    for (size_t depth = DJP_SAMPLER_DEPTH_MAX - 2; depth <= DJP_SAMPLER_DEPTH_MAX + 1; depth++) {
        djp__buf text;
        djp_sampler_error error;
        djp__buf_init(&text, 0);
        for (size_t i = 0; i + 1 < depth; i++) {
            djp__buf_text(&text, "at_least(1,");
        }
        djp__buf_text(&text, "always_on");
        for (size_t i = 0; i + 1 < depth; i++) {
            djp__buf_char(&text, ')');
        }
        int result = parse(&error, text.data, text.size);
        assert_int_equal(result, depth <= DJP_SAMPLER_DEPTH_MAX ? 0 : DJP_EINVAL);
        if (result != 0) {
            assert_int_equal(error.at, strlen("at_least(1,") * DJP_SAMPLER_DEPTH_MAX);
        }
        djp__buf_fini(&text);
    }
}

static void
nodes_are_bounded(void **state)
{
    (void)state;
    /* The node of the rules is one, and that in front another. */
    for (size_t count = DJP_SAMPLER_NODES_MAX - 3; count <= DJP_SAMPLER_NODES_MAX; count++) {
        int result = parse_repeated("rule_based(any=>drop", ",any=>drop", count, ")");
        assert_int_equal(result, count + 2 <= DJP_SAMPLER_NODES_MAX ? 0 : DJP_EINVAL);
    }
}

static void
conditions_are_bounded(void **state)
{
    (void)state;
    for (size_t count = DJP_SAMPLER_TERMS_MAX - 1; count <= DJP_SAMPLER_TERMS_MAX + 1; count++) {
        int result = parse_repeated("rule_based(any", "&root", count - 1, "=>drop)");
        assert_int_equal(result, count <= DJP_SAMPLER_TERMS_MAX ? 0 : DJP_EINVAL);
    }
}

/* Those of samplers around it count, those beside it do not. */
static void
attributes_are_bounded(void **state)
{
    (void)state;
    for (size_t count = DJP_SAMPLER_ATTRIBUTES_MAX - 1; count <= DJP_SAMPLER_ATTRIBUTES_MAX + 1;
         count++) {
        int good = count <= DJP_SAMPLER_ATTRIBUTES_MAX ? 0 : DJP_EINVAL;
        assert_int_equal(parse_repeated("annotating({\"a\"=1", ",\"a\"=1", count - 1, "},drop)"),
                         good);
        assert_int_equal(parse_repeated("annotating({\"a\"=1},annotating({\"a\"=1", ",\"a\"=1",
                                        count - 2, "},drop))"),
                         good);
        assert_int_equal(
            parse_repeated("rule_based(any=>annotating({\"a\"=1},drop),any=>annotating({\"a\"=1",
                           ",\"a\"=1", count - 1, "},drop))"),
            good);
    }
    assert_int_equal(parse_text("annotating({},drop)"), 0);
}

static void
texts_are_bounded(void **state)
{
    (void)state;
    for (size_t size = DJP_SAMPLER_TEXT_MAX - 1; size <= DJP_SAMPLER_TEXT_MAX + 1; size++) {
        int good = size <= DJP_SAMPLER_TEXT_MAX ? 0 : DJP_EINVAL;
        assert_int_equal(parse_repeated("rule_based(name(\"", "x", size, "\")=>drop)"), good);
        assert_int_equal(parse_repeated("annotating({\"k\"=\"", "x", size, "\"},drop)"), good);
    }
}

static void
numbers_are_bounded(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int good;
    } cases[] = {
        {"probability(0)", 1},
        {"probability(1)", 1},
        {"probability(1.0000001)", 0},
        {"probability(-0.1)", 0},
        {"probability(nan)", 0},
        {"probability()", 0},
        {"probability(0.0000000000000000000000000000000000000001)", 0}, /* 42 characters */
        {"probability(0.00000000000000000000000000000000000001)", 1}, /* 40 */
        {"probability(0.000000000000000000000000000000000000001)", 0}, /* 41 */
        {"rate_limited(0)", 1},
        {"rate_limited(1000000)", 1},
        {"rate_limited(1000001)", 0},
        {"at_least(1000000, drop)", 1},
        {"at_least(1000001, drop)", 0},
        {"at_least(1 drop)", 0},
        {"at_least(1,)", 0},
        {"parent_threshold(drop)", 1},
        {"parent_threshold()", 0},
        {"annotating({\"k\"=9223372036854775807}, drop)", 1},
        {"annotating({\"k\"=-9223372036854775808}, drop)", 1},
        {"annotating({\"\"=1}, drop)", 0},
        {"annotating({\"k\"=x}, drop)", 0},
        {"annotating({\"k\"=t}, drop)", 0},
        {"annotating({\"k\"=tru}, drop)", 0},
        {"annotating({\"k\"}, drop)", 0},
        {"annotating({\"k\"=true, \"l\"=FALSE, \"m\"=1.5}, drop)", 1},
        {"annotating({\"k\"=truer}, drop)", 0},
        {"annotating({\"k\"=1,}, drop)", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if ((parse_text(cases[i].text) == 0) != cases[i].good) {
            fail_msg("%s", cases[i].text);
        }
    }
}

static void
mistakes_are_reported_by_their_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
        const char *expected;
    } cases[] = {
        {"", 0, "a sampler: "},
        {" x", 1, "a sampler: "},
        {"always_on x", 10, "the end of the text"},
        {"probability 1", 12, "an opening parenthesis"},
        {"probability(x)", 12, "a number"},
        {"probability( 2)", 13, "a number from 0 to 1"},
        {"rate_limited(1000001)", 13, "a number from 0 to 1,000,000"},
        {"probability(1", 13, "a closing parenthesis"},
        {"at_least(1 drop)", 11, "a comma"},
        {"rule_based(x => drop)", 11, "a condition: "},
        {"rule_based(any drop)", 15, "& or =>"},
        {"rule_based(any => drop any => drop)", 23, "a comma or a closing parenthesis"},
        {"rule_based(kind(x) => drop)", 16, "internal, server"},
        {"rule_based(kind server => drop)", 16, "an opening parenthesis"},
        {"rule_based(name(x) => drop)", 16, "a text in quotation marks"},
        {"rule_based(name(\"x) => drop)", 28, "a quotation mark"},
        {"rule_based(name(\"x\" => drop)", 20, "a closing parenthesis"},
        {"rule_based(attribute(\"x\" \"y\") => drop)", 25, "an equals sign"},
        {"annotating(\"k\"=1}, drop)", 11, "attributes in braces"},
        {"annotating({\"k\"=1 \"l\"=2}, drop)", 18, "a comma or a closing brace"},
        {"annotating({\"k\"= x}, drop)", 17, "a text in quotation marks, a number, true or false"},
        {"annotating({\"\"=1}, drop)", 14, "a key that is not empty"},
        {"annotating({\"k\"=1} drop)", 19, "a comma"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        djp_sampler_error error = {99, "?"};
        assert_int_equal(parse(&error, cases[i].text, strlen(cases[i].text)), DJP_EINVAL);
        if (error.at != cases[i].at ||
            strncmp(error.expected, cases[i].expected, strlen(cases[i].expected)) != 0) {
            fail_msg("%s: at %zu %s", cases[i].text, error.at, error.expected);
        }
    }
}

/* Text that reads as that, or NULL where it is refused. */
static void
reads_as(const char *text, const char *want)
{
    djp_sampler *tree = NULL;
    int result = djp_sampler_parse(&tree, djp_text_of(text), NULL);
    assert_int_equal(result, want != NULL ? 0 : DJP_EINVAL);
    if (tree != NULL) {
        char *written = djp_sampler_text(NULL, tree);
        assert_string_equal(written, want);
        djp_free(written);
    }
    djp_sampler_free(tree);
}

/* A star without quotation marks is the empty prefix, and stands only for a pattern. */
static void
a_star_alone_matches_all(void **state)
{
    (void)state;
    reads_as("rule_based(name(*) => drop)", "rule_based(name(\"*\") => drop)");
    reads_as("rule_based(name( * ) => drop)", "rule_based(name(\"*\") => drop)");
    reads_as("rule_based(attribute(\"k\"=*) => drop)",
             "rule_based(attribute(\"k\"=\"*\") => drop)");
    reads_as("rule_based(attribute(*=\"v\") => drop)", NULL);
    reads_as("annotating({*=1}, drop)", NULL);
    reads_as("annotating({\"k\"=*}, drop)", NULL);
    reads_as("rule_based(name(*\"a\") => drop)", NULL);
    /* after a prefix the next pattern is exact again */
    reads_as("rule_based(name(*) & name(\"a\") => drop)",
             "rule_based(name(\"*\") & name(\"a\") => drop)");
}

static void
stars_and_escapes_are_read(void **state)
{
    (void)state;
    reads_as("rule_based(name(\"a**\") => drop)", "rule_based(name(\"a\\**\") => drop)");
    reads_as("rule_based(name(\"a\\*\") => drop)", "rule_based(name(\"a\\*\") => drop)");
    reads_as("rule_based(name(\"*a\") => drop)", "rule_based(name(\"*a\") => drop)");
    reads_as("rule_based(name(\"\\x\") => drop)", "rule_based(name(\"x\") => drop)");
    reads_as("annotating({\"k*\"=\"v*\"}, drop)", "annotating({\"k*\"=\"v*\"}, drop)");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_samplers_side_by_side),
        cmocka_unit_test(levels_are_bounded),
        cmocka_unit_test(nodes_are_bounded),
        cmocka_unit_test(conditions_are_bounded),
        cmocka_unit_test(attributes_are_bounded),
        cmocka_unit_test(texts_are_bounded),
        cmocka_unit_test(numbers_are_bounded),
        cmocka_unit_test(mistakes_are_reported_by_their_place),
        cmocka_unit_test(a_star_alone_matches_all),
        cmocka_unit_test(stars_and_escapes_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
