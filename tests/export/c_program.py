"""A program in C around a generated header: reads cases from standard input, prints the values.

What it prints is written here from the tree of fields, as somebody would who has read the header.
"""

from __future__ import annotations

from collections.abc import Iterator

from vhint.export.c import ident
from vhint.export.formats import Format, catalogue
from vhint.export.rendering import arrays
from vhint.export.shape import Array, Bits, Field, Leading, Maybe, Number, Parts, Variant
from vhint.export.words import capitals, snake
from vhint.wire.history import Layout

HEAD = """\
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "vhint.h"

static const char *const kinds[] = {"ok", "short_input", "trailing_bytes", "out_of_range",
    "reserved_not_zero", "unknown_value", "padding_not_zero", "wrong_length"};

static void number(const char *array, uint64_t index, const char *field, uint64_t value)
{
    if (array)
        printf(" %s[%" PRIu64 "]%s%s=%" PRIu64, array, index, *field ? "." : "", field, value);
    else
        printf(" %s=%" PRIu64, field, value);
}

static void bitmap(const char *array, uint64_t index, const char *field, struct vhint_bits bits)
{
    uint64_t i;

    if (!bits.data)
        return;
    if (array)
        printf(" %s[%" PRIu64 "].%s=", array, index, field);
    else
        printf(" %s=", field);
    for (i = 0; i < bits.count; i++)
        putchar(vhint_bit(bits, i) ? '1' : '0');
}

static void refused(const struct vhint_fault *fault)
{
    printf("refused %s ", kinds[fault->error]);
    if (fault->array)
        printf("%s[%" PRIu64 "]%s", fault->array, fault->index, *fault->field ? "." : "");
    printf("%s %zu %" PRIu64, fault->field, fault->offset, fault->seen);
}
"""

MAIN = """\
int main(void)
{
    static char line[1 << 22];
    static char name[64], layout[32], given[64];
    static char hex[1 << 22];
    struct vhint_fault fault;

    while (fgets(line, sizeof line, stdin)) {
        size_t size, i;
        uint8_t *data;
        uint64_t parameter;

        if (sscanf(line, "%63s %31s %63s %4194303s", name, layout, given, hex) != 4)
            return 2;
        size = hex[0] == '-' ? 0 : strlen(hex) / 2;
        data = (uint8_t *)malloc(size ? size : 1); /* exactly so long: sanitizers see the rest */
        for (i = 0; i < size; i++) {
            unsigned byte;
            sscanf(hex + 2 * i, "%2x", &byte);
            data[i] = (uint8_t)byte;
        }
        parameter = given[0] == '-' ? 0 : strtoull(given, NULL, 10);
        (void)parameter;
"""


def formats() -> list[Format]:
    """What can be exported: all but whole messages of vhost-user."""
    return [each for each in catalogue().values() if not each.payload]


def source() -> str:
    """The text of the program."""
    functions = "".join(_function(each) for each in formats())
    calls = "".join(
        f'        if (strcmp(name, "{each.name}") == 0)\n'
        f"            {snake(each.name)}(data, size, parameter, layout, &fault);\n"
        for each in formats()
    )
    layouts = "".join(
        f'    if (strcmp(name, "{layout.value}") == 0)\n'
        f"        return VHINT_{capitals(layout.value)};\n"
        for layout in Layout
    )
    return (
        HEAD
        + "\nstatic enum vhint_layout layout_of(const char *name)\n{\n"
        + layouts
        + "    exit(2);\n}\n"
        + functions
        + MAIN
        + calls
        + "        putchar('\\n');\n        free(data);\n    }\n    return 0;\n}\n"
    )


def _function(form: Format) -> str:
    name = f"vhint_{snake(form.name)}"
    given = "".join([", parameter"] * len(form.parameters))
    given += ", layout_of(layout)" if form.layouts else ""
    lines = [
        f"static void {snake(form.name)}(const uint8_t *data, size_t size, uint64_t parameter,",
        "        const char *layout, struct vhint_fault *fault)",
        "{",
        f"    struct {name} m;",
        "    uint64_t i;",
        "    (void)i;",
        "    (void)layout;",
        "    (void)parameter;",
        f"    if ({name}_parse(data, size{given}, &m, fault) != VHINT_OK) {{",
        "        refused(fault);",
        "        return;",
        "    }",
        '    printf("ok");',
        *_show(form, form.tree, "m.", "NULL, 0"),
        "}",
    ]
    return "\n" + "\n".join(lines) + "\n"


def _show(form: Format, fields: tuple[Field, ...], to: str, place: str) -> Iterator[str]:
    for field in fields:
        match field:
            case Number() if field.is_shown and field.name:
                yield f'    number({place}, "{field.name}", {to}{ident(field.name)});'
            case Parts():
                for part in field.parts:
                    path = f"{field.name}.{part.name}"
                    yield f'    number({place}, "{path}", {to}{path});'
            case Bits():
                yield f'    bitmap({place}, "{field.name}", {to}{field.name});'
            case Leading(numbers):
                for each in numbers:
                    yield f"    if ({to}has_{each.name})"
                    yield from _show(form, (each,), to, place)
            case Maybe(number):
                yield f"    if ({to}has_{number.name})"
                yield from _show(form, (number,), to, place)
            case Variant():
                for case in field.cases:
                    yield f"    if ({to}{field.key} == {case.value}) {{"
                    yield from _show(form, case.fields, f"{to}{field.name}.{case.name}.", place)
                    yield "    }"
            case Array():
                yield from _elements(form, field, to)
            case _:
                pass


def _elements(form: Format, array: Array, to: str) -> Iterator[str]:
    name = f"vhint_{snake(form.name)}_{array.name}"
    yield f'    number(NULL, 0, "{array.name}.count", {to}{array.name}.count);'
    place = f'"{array.name}", i'
    if array.is_plain:
        yield f"    for (i = 0; i < {to}{array.name}.count; i++)"
        yield f'        number({place}, "", {name}_at({to}{array.name}, i));'
        return
    yield "    {"
    yield f"    struct {name}_entry e;"
    if array.stride:
        yield f"    for (i = 0; i < {to}{array.name}.count; i++) {{"
        yield f"    e = {name}_at({to}{array.name}, i);"
    else:
        yield f"    for (i = 0; {name}_next(&{to}{array.name}, &e); i++) {{"
    yield from _show(form, array.element, "e.", place)
    yield "    }}"


assert arrays
