/* Resources and scopes in every form, and where a form has nothing to say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "export/emit_console.h"
#include "export/encoder_parts.h"
#include "export/emit_protobuf.h"
#include "export/resource_attributes.h"

typedef struct scope_case {
    djp__walk walk;
    djp__buf items, out;
    djp__otlp_scope parts;
} scope_case;

static void
scope_begin(scope_case *c, const djp__scope_entry *entry, const djp_attribute *attributes,
            size_t count)
{
    memset(c, 0, sizeof *c);
    djp__walk_init(&c->walk);
    djp__buf_init(&c->items, 0);
    djp__buf_init(&c->out, 0);
    assert_int_equal(djp__resource_attributes(&c->items, attributes, count), 0);
    djp__walk_begin(&c->walk, c->items.data, c->items.size);
    c->parts = djp__otlp_scope_of(entry, &c->items);
}

static void
scope_end(scope_case *c)
{
    djp__walk_fini(&c->walk);
    djp__buf_fini(&c->items);
    djp__buf_fini(&c->out);
}

static void
scope_is(scope_case *c, const char *expected)
{
    assert_int_equal(c->walk.error, 0);
    assert_int_equal(c->out.size, strlen(expected));
    assert_memory_equal(c->out.data, expected, c->out.size);
    djp__buf_clear(&c->out);
}

/* Within the room that djp__otlp_scope_bound promises. */
static void
scope_is_protobuf(scope_case *c, char *(*part)(char *, djp__walk *, const djp__otlp_scope *),
                  const char *expected, size_t size)
{
    size_t bound = djp__otlp_scope_bound(&c->parts);
    char *room = malloc(bound);
    assert_non_null(room);
    char *end = room + bound, *at = part(end, &c->walk, &c->parts);
    assert_true(at >= room);
    assert_int_equal(end - at, size);
    assert_memory_equal(at, expected, size);
    free(room);
}

static void
a_scope_has_every_form(void **state)
{
    static const djp_attribute attributes[] = {{{"a", 1}, {DJP_BOOL, {.boolean = 1}}}};
    djp__scope_entry entry = {
        .name = (char *)"lib", .version = (char *)"1", .schema_url = (char *)""};
    scope_case c;
    (void)state;
    scope_begin(&c, &entry, attributes, 1);
    djp__otlp_json_scope(&c.out, &c.walk, &c.parts);
    scope_is(&c, "\"scope\":{\"name\":\"lib\",\"version\":\"1\",\"attributes\":"
                 "[{\"key\":\"a\",\"value\":{\"boolValue\":true}}]}");
    djp__console_scope(&c.out, &c.walk, &c.parts);
    scope_is(&c, "\"scope\":{\"name\":\"lib\",\"version\":\"1\",\"attributes\":{\"a\":true}}");
    scope_is_protobuf(&c, djp__protobuf_scope,
                      "\x0a\x11\x0a\x03lib\x12\x01\x31\x1a\x07\x0a\x01\x61\x12\x02\x10\x01", 19);
    scope_end(&c);
}

static void
a_scope_without_anything_is_on_console_lines_only(void **state)
{
    djp__scope_entry entry = {.name = (char *)"", .version = (char *)"", .schema_url = (char *)""};
    scope_case c;
    (void)state;
    scope_begin(&c, &entry, NULL, 0);
    djp__otlp_json_scope(&c.out, &c.walk, &c.parts);
    scope_is(&c, "");
    djp__console_scope(&c.out, &c.walk, &c.parts);
    scope_is(&c, "\"scope\":{\"name\":\"\"}");
    scope_is_protobuf(&c, djp__protobuf_scope, "", 0);
    scope_end(&c);
}

static void
a_resource_has_its_last_values(void **state)
{
    static const djp_attribute attributes[] = {{{"a", 1}, {DJP_INT, {.integer = 1}}},
                                               {{"b", 1}, {DJP_STRING, {.text = {"x", 1}}}},
                                               {{"a", 1}, {DJP_INT, {.integer = 2}}}};
    scope_case c;
    (void)state;
    scope_begin(&c, NULL, attributes, 3);
    djp__otlp_json_resource(&c.out, &c.walk, &c.parts);
    scope_is(&c, "\"resource\":{\"attributes\":[{\"key\":\"b\",\"value\":{\"stringValue\":\"x\"}},"
                 "{\"key\":\"a\",\"value\":{\"intValue\":\"2\"}}]}");
    djp__console_resource(&c.out, &c.walk, &c.parts);
    scope_is(&c, "\"resource\":{\"b\":\"x\",\"a\":2}");
    scope_is_protobuf(
        &c, djp__protobuf_resource,
        "\x0a\x13\x0a\x08\x0a\x01\x62\x12\x03\x0a\x01x\x0a\x07\x0a\x01\x61\x12\x02\x18\x02", 21);
    scope_end(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scope_has_every_form),
        cmocka_unit_test(a_scope_without_anything_is_on_console_lines_only),
        cmocka_unit_test(a_resource_has_its_last_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
