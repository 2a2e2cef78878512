/*
 * A small JSON reader, enough for the vector files: the whole file in memory, a tree of values.
 *
 * Strings are kept as they are in the file (the vectors have no escapes but \" and \\, which are
 * undone); numbers are integers up to 2^63 - 1; anything else makes json_read return NULL.
 * Nothing is ever freed: the program reads a few files and ends.
 */
#ifndef VHINT_EXAMPLE_JSON_H
#define VHINT_EXAMPLE_JSON_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_kind kind;
    int64_t number;          /* JSON_NUMBER; JSON_BOOL: 0 or 1 */
    const char *text;        /* JSON_STRING */
    const char *name;        /* of a member of an object */
    struct json *first;      /* JSON_ARRAY, JSON_OBJECT */
    struct json *next;       /* the sibling after this one */
};

struct json_input {
    const char *at, *end;
    int depth;
};

static struct json *json_value(struct json_input *in);

static void json_space(struct json_input *in)
{
    while (in->at < in->end && memchr(" \t\r\n", *in->at, 4))
        in->at++;
}

static int json_take(struct json_input *in, char wanted)
{
    json_space(in);
    if (in->at == in->end || *in->at != wanted)
        return 0;
    in->at++;
    return 1;
}

static const char *json_string(struct json_input *in)
{
    const char *start = in->at, *p = start;
    char *text, *out;

    while (p < in->end && *p != '"')
        p += *p == '\\' && p + 1 < in->end ? 2 : 1;
    if (p >= in->end)
        return NULL;
    text = out = malloc((size_t)(p - start) + 1);
    if (!text)
        return NULL;
    for (in->at = p + 1; start < p; start++) {
        if (*start == '\\' && *++start != '"' && *start != '\\')
            return NULL;
        *out++ = *start;
    }
    *out = '\0';
    return text;
}

static int json_members(struct json_input *in, struct json *parent, char last)
{
    struct json **link = &parent->first;

    if (json_take(in, last))
        return 1;
    do {
        const char *name = NULL;
        if (parent->kind == JSON_OBJECT
            && (!json_take(in, '"') || !(name = json_string(in)) || !json_take(in, ':')))
            return 0;
        *link = json_value(in);
        if (!*link)
            return 0;
        (*link)->name = name;
        link = &(*link)->next;
    } while (json_take(in, ','));
    return json_take(in, last);
}

static int json_number(struct json_input *in, int64_t *number)
{
    int negative = in->at < in->end && *in->at == '-', digits = 0;

    in->at += negative;
    for (*number = 0; in->at < in->end && *in->at >= '0' && *in->at <= '9'; digits++) {
        int digit = *in->at++ - '0';
        if (*number > (INT64_MAX - digit) / 10)
            return 0;
        *number = *number * 10 + digit;
    }
    if (negative)
        *number = -*number;
    return digits && (in->at == in->end || !memchr(".eE", *in->at, 3));
}

static int json_word(struct json_input *in, const char *word)
{
    size_t length = strlen(word);

    if ((size_t)(in->end - in->at) < length || memcmp(in->at, word, length))
        return 0;
    in->at += length;
    return 1;
}

static struct json *json_value(struct json_input *in)
{
    struct json *value = calloc(1, sizeof *value);
    int good = 0;

    if (!value || ++in->depth > 64)
        return NULL;
    if (json_take(in, '{')) {
        value->kind = JSON_OBJECT;
        good = json_members(in, value, '}');
    } else if (json_take(in, '[')) {
        value->kind = JSON_ARRAY;
        good = json_members(in, value, ']');
    } else if (json_take(in, '"')) {
        value->kind = JSON_STRING;
        good = (value->text = json_string(in)) != NULL;
    } else if (json_word(in, "null")) {
        good = 1;
    } else if (json_word(in, "true") || json_word(in, "false")) {
        value->kind = JSON_BOOL;
        value->number = in->at[-2] == 'u';
        good = 1;
    } else {
        value->kind = JSON_NUMBER;
        good = json_number(in, &value->number);
    }
    in->depth--;
    return good ? value : NULL;
}

/* Read a file; NULL if it cannot be read or is not such JSON. */
static struct json *json_read(const char *path)
{
    struct json_input in = {0};
    struct json *value;
    FILE *file = fopen(path, "rb");
    char *text;
    long size;

    if (!file)
        return NULL;
    if (fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET)
        || !(text = malloc((size_t)size + 1)) || fread(text, 1, (size_t)size, file) != (size_t)size) {
        fclose(file);
        return NULL;
    }
    fclose(file);
    in.at = text;
    in.end = text + size;
    value = json_value(&in);
    json_space(&in);
    return in.at == in.end ? value : NULL;
}

/* A member of an object, or NULL. */
static struct json *json_get(const struct json *object, const char *name)
{
    struct json *member = object && object->kind == JSON_OBJECT ? object->first : NULL;

    while (member && strcmp(member->name, name))
        member = member->next;
    return member;
}

/* The text of a string member; "" if there is none. */
static const char *json_text(const struct json *object, const char *name)
{
    const struct json *member = json_get(object, name);

    return member && member->kind == JSON_STRING ? member->text : "";
}

/* A number, or a string of decimal digits, as 64 bits. */
static uint64_t json_u64(const struct json *value)
{
    if (value && value->kind == JSON_STRING)
        return strtoull(value->text, NULL, 10);
    return value && value->kind == JSON_NUMBER ? (uint64_t)value->number : 0;
}

#endif
