/*
 * Checks a C implementation against vhint's vectors, with no Python and no library.
 *
 *     cc -std=c99 -Wall -Wextra -pedantic -o vectors vectors.c && ./vectors "$(vhint vectors path)"
 *
 * hinting.h, balloon.h and ownership.h are the implementation, to be replaced by your own; json.h
 * reads the files.  The loops here and in histories.h are all that the vectors ask of their user.
 */
#include "balloon.h"
#include "check.h"
#include "histories.h"

static int bit(const uint8_t *bits, size_t n)
{
    return bits[n / 8] >> n % 8 & 1;
}

static int same_bits(const char *wanted, const uint8_t *bits, size_t count)
{
    if (strlen(wanted) != count)
        return 0;
    for (size_t n = 0; n < count; n++)
        if ((wanted[n] == '1') != bit(bits, n))
            return 0;
    return 1;
}

static struct device device_of(const struct json *setting)
{
    struct device device = {0};

    device.max_count = (uint32_t)json_u64(json_get(setting, "hint_max_count"));
    device.min_order = (uint32_t)json_u64(json_get(setting, "hint_min_order"));
    device.has_bitmap = mask_of(json_get(setting, "accepted")) >> 23 & 1;
    device.regions = spans_of(setting, "ram", device.ram, sizeof device.ram / sizeof *device.ram);
    return device;
}

static void check_decoded(const struct json *vector, const struct request *found,
                          const uint8_t *data)
{
    const struct json *value = json_get(vector, "decoded");
    const struct json *entry = json_get(value, "blocks");
    uint32_t count = 0;

    expect(json_u64(json_get(value, "cookie")) == found->cookie, vector, "cookie", "another");
    if (found->type == TYPE_BITMAP) {
        expect(json_u64(json_get(value, "start_pfn")) == found->start_pfn, vector, "start", "other");
        expect(json_u64(json_get(value, "order")) == found->order, vector, "order", "another");
        expect(same_bits(json_text(value, "bits"), data + 32, found->count), vector, "bits", "other");
        return;
    }
    for (entry = entry ? entry->first : NULL; entry; entry = entry->next, count++) {
        const uint8_t *at = data + 16 + 16 * (size_t)count;
        if (count >= found->count)
            break;
        expect(json_u64(json_get(entry, "pfn")) == le(at, 8), vector, "pfn", "another");
        expect(json_u64(json_get(entry, "order")) == le(at + 8, 4), vector, "order", "another");
    }
    expect(!entry && count == found->count, vector, "count", "another");
}

static int requests(const char *folder, const char *name)
{
    const struct json *file = open_file(folder, name), *settings = json_get(file, "settings");
    int count = 0;

    for (const struct json *v = each_of(file, "vectors"); v; v = v->next, count++) {
        const struct json *device = json_get(v, "device");
        struct error error = {0};
        struct request found;
        uint8_t *data;
        size_t length = from_hex(json_text(v, "hex"), &data);

        if (check_parse(v, parse_request(data, length, &found, &error), &error))
            check_decoded(v, &found, data);
        for (device = device ? device->first : NULL; device; device = device->next) {
            struct device made = device_of(json_get(settings, device->name));
            unsigned allowed = 0, judged = judge(&made, data, length);
            const struct json *each = json_get(device, "statuses")->first;

            for (; each; each = each->next)
                for (int status = 0; status < STATUSES; status++)
                    if (!strcmp(each->text, STATUS[status]))
                        allowed |= 1u << status;
            /* Which of the three answers to a valid request are possible is not the judge's matter. */
            expect(!(allowed & ~judged) && (allowed == judged || judged & 1u << OK), v,
                   device->name, "other statuses");
        }
        free(data);
    }
    return count;
}

static int acknowledgements(const char *folder)
{
    const struct json *file = open_file(folder, "format/hint-ack.json");
    int count = 0;

    for (const struct json *v = each_of(file, "vectors"); v; v = v->next, count++) {
        uint32_t blocks = (uint32_t)json_u64(json_get(json_get(v, "parameters"), "count"));
        const struct json *driver = json_get(v, "driver"), *value = json_get(v, "decoded");
        struct error error = {0};
        struct ack ack = {0};
        uint8_t *data;
        size_t length = from_hex(json_text(v, "hex"), &data);
        int good = parse_ack(data, length, blocks, &ack, &error);
        int returns = good && ack.cookie == json_u64(json_get(driver, "cookie"));

        if (check_parse(v, good, &error)) {
            expect(json_u64(json_get(value, "cookie")) == ack.cookie, v, "cookie", "another");
            expect(json_u64(json_get(value, "processed")) == ack.processed, v, "processed", "other");
            expect(!strcmp(json_text(value, "status"), STATUS[ack.status]), v, "status", "another");
            expect(same_bits(json_text(value, "results"), data + 16, ack.results), v, "results",
                   "others");
        }
        expect(!strcmp(json_text(driver, "action"), returns ? "return" : "reset"), v, "action",
               returns ? "return" : "reset");
        for (uint32_t n = 0; returns && n < blocks; n++) {
            int lost = ack.status <= PARTIAL && (n >= ack.results || bit(data + 16, n));
            expect((json_text(driver, "lost")[n] == '1') == lost, v, "lost", lost ? "1" : "0");
        }
        free(data);
    }
    return count;
}

static int queue_maps(const char *folder)
{
    const struct json *file = open_file(folder, "function/queue-map.json");
    int count = 0;

    for (const struct json *v = each_of(file, "vectors"); v; v = v->next, count++) {
        const struct json *given = json_get(v, "given"), *gives = json_get(v, "gives");
        uint64_t offered = mask_of(json_get(given, "offered"));
        uint64_t accepted = mask_of(json_get(given, "accepted"));
        const struct {
            const char *name;
            uint64_t counted;
        } rules[] = {{"spec-fixed", ~UINT64_C(0)},
                     {"compact-offered", offered},
                     {"compact-accepted", accepted}};

        expect(!(accepted & ~offered) == !strcmp(json_text(v, "result"), "valid"), v, "allowed",
               "otherwise");
        for (size_t r = 0; gives->kind == JSON_OBJECT && r < 3; r++)
            for (int queue = 0; queue < QUEUES; queue++) {
                const struct json *index = json_get(json_get(gives, rules[r].name), QUEUE[queue]);
                int found = queue_index(queue, accepted, rules[r].counted);
                expect(found == (index ? (int)index->number : -1), v, rules[r].name, QUEUE[queue]);
            }
    }
    return count;
}

static int config_spaces(const char *folder)
{
    const struct json *v = each_of(open_file(folder, "format/config-space.json"), "vectors");
    int count = 0;

    for (; v; v = v->next, count++) {
        const struct json *value = json_get(v, "decoded");
        struct error error = {0};
        struct config config;
        uint8_t *data;
        size_t length = from_hex(json_text(v, "hex"), &data);

        if (check_parse(v, parse_config(data, length, &config, &error), &error))
            for (size_t i = 0; i < CONFIG_FIELDS; i++) {
                const struct json *wanted = json_get(value, CONFIG[i]);
                if (i >= config.present)
                    expect(wanted && wanted->kind == JSON_NULL, v, CONFIG[i], "nothing");
                else
                    expect(wanted && wanted->kind == JSON_NUMBER
                               && json_u64(wanted) == config.value[i], v, CONFIG[i], "another");
            }
        free(data);
    }
    return count;
}

static int statistics(const char *folder)
{
    const struct json *v = each_of(open_file(folder, "format/statistics.json"), "vectors");
    int number = 0;

    for (; v; v = v->next, number++) {
        const struct json *entry = each_of(json_get(v, "decoded"), "entries");
        const struct json *device = json_get(v, "device");
        struct error error = {0};
        uint8_t *data;
        size_t count, n = 0, length = from_hex(json_text(v, "hex"), &data);

        if (check_parse(v, parse_statistics(data, length, &count, &error), &error)) {
            for (; entry && n < count; entry = entry->next, n++) {
                expect(json_u64(json_get(entry, "tag")) == stat_tag(data, n), v, "tag", "another");
                expect(json_u64(json_get(entry, "value")) == stat_value(data, n), v, "value",
                       "another");
            }
            expect(!entry && n == count, v, "entries", "another number");
        }
        for (device = device ? device->first : NULL; device; device = device->next) {
            const struct json *figure = each_of(device, "figures");
            for (; figure; figure = figure->next) {
                int found = 0; /* the last entry with the tag counts */
                for (n = 0; n < whole_entries(length, STAT_SIZE); n++)
                    if (stat_tag(data, n) == json_u64(json_get(figure, "tag")))
                        found = stat_value(data, n) == json_u64(json_get(figure, "value"));
                expect(found, v, "figures", "not known");
            }
        }
        free(data);
    }
    return number;
}

static int pfn_arrays(const char *folder)
{
    const struct json *file = open_file(folder, "format/pfn-array.json");
    int number = 0;

    for (const struct json *v = each_of(file, "vectors"); v; v = v->next, number++) {
        const struct json *pfn = each_of(json_get(v, "decoded"), "pfns");
        const struct json *device = json_get(v, "device");
        struct error error = {0};
        uint8_t *data;
        size_t count, n = 0, length = from_hex(json_text(v, "hex"), &data);

        if (check_parse(v, parse_pfns(data, length, &count, &error), &error)) {
            for (; pfn && n < count; pfn = pfn->next, n++)
                expect(json_u64(pfn) == pfn_at(data, n), v, "pfn", "another");
            expect(!pfn && n == count, v, "pfns", "another number");
        }
        for (device = device ? device->first : NULL; device; device = device->next) {
            const struct json *settings = json_get(file, "settings");
            struct device made = device_of(json_get(settings, device->name));
            struct span allowed[8];
            size_t spans = spans_of(device, "may_discard", allowed, 8);

            for (n = 0; n < whole_entries(length, PFN_SIZE); n++) {
                int is_allowed = 0;
                for (size_t i = 0; i < spans; i++)
                    is_allowed |= covers(&allowed[i], pfn_at(data, n));
                expect(is_allowed == in_ram(&made, pfn_at(data, n), 0), v, "may_discard",
                       is_allowed ? "not RAM" : "RAM");
            }
        }
        free(data);
    }
    return number;
}

int main(int argc, char **argv)
{
    int count;

    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER (what `vhint vectors path` prints)\n", argv[0]);
        return 2;
    }
    count = requests(argv[1], "format/hint-request-pfn.json");
    count += requests(argv[1], "format/hint-request-bitmap.json");
    count += acknowledgements(argv[1]);
    count += queue_maps(argv[1]);
    count += config_spaces(argv[1]);
    count += statistics(argv[1]);
    count += pfn_arrays(argv[1]);
    count += histories(argv[1]);
    printf("%d vectors, %d failures\n", count, failures);
    return failures != 0;
}
