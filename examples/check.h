/* What the loops over the vectors share: counting failures, reading files, hex and errors. */
#ifndef VHINT_EXAMPLE_CHECK_H
#define VHINT_EXAMPLE_CHECK_H

#include "hinting.h"
#include "json.h"

static int failures;

static void expect(int good, const struct json *vector, const char *what, const char *seen)
{
    if (!good) {
        failures++;
        fprintf(stderr, "%s: %s: seen %s\n", json_text(vector, "id"), what, seen);
    }
}

static struct json *open_file(const char *folder, const char *name)
{
    char path[4096];
    struct json *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = json_read(path);
    if (!file || strcmp(json_text(file, "format"), "vhint-vectors/1")) {
        fprintf(stderr, "%s: no file of the format vhint-vectors/1\n", path);
        exit(2);
    }
    return file;
}

/* The elements of an array member, first to last; NULL if there are none. */
static const struct json *each_of(const struct json *object, const char *name)
{
    const struct json *array = json_get(object, name);

    return array ? array->first : NULL;
}

static size_t from_hex(const char *hex, uint8_t **data)
{
    size_t length = strlen(hex) / 2;

    *data = malloc(length + 1);
    if (!*data)
        exit(2);
    for (size_t i = 0; i < length; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        (*data)[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return length;
}

/* Whether the parser's word and the vector's agree; true if the bytes are valid. */
static int check_parse(const struct json *vector, int good, const struct error *error)
{
    const struct json *wanted = json_get(vector, "error");

    if (!strcmp(json_text(vector, "result"), "valid")) {
        expect(good, vector, "valid", good ? "" : error->kind);
        return good;
    }
    expect(!good, vector, "invalid", "accepted");
    if (!good) {
        expect(!strcmp(json_text(wanted, "kind"), error->kind), vector, "kind", error->kind);
        expect(!strcmp(json_text(wanted, "path"), error->path), vector, "path", error->path);
        expect(json_u64(json_get(wanted, "offset")) == error->offset, vector, "offset", "another");
    }
    return 0;
}

static size_t spans_of(const struct json *object, const char *name, struct span *spans, size_t room)
{
    size_t count = 0;

    for (const struct json *each = each_of(object, name); each; each = each->next) {
        if (count == room)
            exit(2);
        spans[count].start = json_u64(json_get(each, "start"));
        spans[count++].length = json_u64(json_get(each, "length"));
    }
    return count;
}

static uint64_t mask_of(const struct json *numbers)
{
    uint64_t mask = 0;

    for (const struct json *each = numbers ? numbers->first : NULL; each; each = each->next)
        mask |= UINT64_C(1) << each->number;
    return mask;
}

#endif
