/* The doctor's findings: gathered, given out, and written for people and programs. What is found is
 * others' business. */
#include "core/findings.h"

#include <string.h>

#include "base/alloc.h"
#include "core/report.h"

static const struct {
    const char *word, *mark;
    enum style style;
} states[] = {
    {"good", "ok", STYLE_CARET},
    {"note", "--", STYLE_NOTE},
    {"warning", "!!", STYLE_WARNING},
    {"problem", "XX", STYLE_ERROR},
};

static const struct {
    const char *what, *pip, *conda, *apt;
} installs[] = {
#define INSTALL(what, pip, conda, apt) {what, pip, conda, apt},
#include "core/install.def"
#undef INSTALL
};

static const char *keep(runcu_diagnosis *d, struct str *text)
{
    while (text->len && text->at[text->len - 1] == '\n')
        text->at[--text->len] = 0;
    const char *copy = text->failed ? NULL : arena_string(&d->arena, str_text(text), text->len);
    str_fini(text);
    d->failed |= !copy;
    return copy;
}

void findings_add(runcu_diagnosis *d, struct draft *draft)
{
    runcu_finding f = {
        .area = arena_string(&d->arena, draft->area, strlen(draft->area)),
        .item = arena_string(&d->arena, draft->item, strlen(draft->item)),
        .state = draft->state,
        .text = keep(d, &draft->text),
        .detail = keep(d, &draft->detail),
        .advice = keep(d, &draft->advice),
    };
    d->failed |= !f.area || !f.item;
    if (!d->failed)
        d->failed = !vec_push(&d->list, f);
}

void findings_error(struct draft *draft)
{
    runcu_error e;
    runcu_error_get(&e);
    str_add(&draft->text, e.message);
    str_add(&draft->detail, e.detail);
}

const char *findings_name(const char *file, const char *place)
{
    const char *slash = strrchr(file, '/');
    return strcmp(file, place) == 0 ? "there" : slash ? slash + 1 : file;
}

void findings_install(struct draft *draft, const char *what)
{
    for (size_t i = 0; i < ARRAY_LEN(installs); i++) {
        if (strcmp(installs[i].what, what) != 0)
            continue;
        if (*installs[i].pip)
            str_addf(&draft->advice, "pip install %s\n", installs[i].pip);
        if (*installs[i].conda)
            str_addf(&draft->advice, "conda install -c conda-forge %s\n", installs[i].conda);
        str_addf(&draft->advice, "apt-get install %s\n", installs[i].apt);
    }
}

/* --- given out -------------------------------------------------------------- */

const runcu_finding *runcu_diagnosis_findings(const runcu_diagnosis *diagnosis, size_t *count)
{
    if (count)
        *count = diagnosis ? diagnosis->list.len : 0;
    return diagnosis ? diagnosis->list.at : NULL;
}

int runcu_diagnosis_is_well(const runcu_diagnosis *diagnosis)
{
    return diagnosis && diagnosis->is_well;
}

const char *runcu_diagnosis_verdict(const runcu_diagnosis *diagnosis)
{
    return diagnosis ? str_text(&diagnosis->verdict) : "";
}

void runcu_diagnosis_destroy(runcu_diagnosis **diagnosis)
{
    if (!diagnosis || !*diagnosis)
        return;
    vec_fini(&(*diagnosis)->list);
    str_fini(&(*diagnosis)->verdict);
    arena_fini(&(*diagnosis)->arena);
    alloc_free(*diagnosis);
    *diagnosis = NULL;
}

/* --- written ---------------------------------------------------------------- */

static void put_lines(struct report_writer *w, const char *margin, enum style style,
                      const char *text)
{
    while (*text) {
        struct str line = {0};
        size_t len = strcspn(text, "\n");
        str_addf(&line, "%s%.*s", margin, (int) len, text);
        w->out.failed |= line.failed;
        report_put(w, style, str_text(&line));
        report_put(w, STYLE_PLAIN, "\n");
        str_fini(&line);
        text += len + (text[len] == '\n');
    }
}

static void put_finding(struct report_writer *w, const runcu_finding *f)
{
    report_put(w, STYLE_PLAIN, "  ");
    report_put(w, states[f->state].style, states[f->state].mark);
    report_put(w, STYLE_PLAIN, "  ");
    report_put(w, STYLE_STRONG, f->item);
    report_put(w, STYLE_PLAIN, *f->item ? ": " : "");
    report_put(w, STYLE_PLAIN, f->text);
    report_put(w, STYLE_PLAIN, "\n");
    put_lines(w, "      ", STYLE_PLAIN, f->detail);
    put_lines(w, "      > ", STYLE_STRONG, f->advice);
}

static void put_all(struct report_writer *w, const runcu_diagnosis *d)
{
    const char *area = "";
    bool is_html = w->form == RUNCU_REPORT_HTML;
    if (is_html)
        str_add(&w->out, "<pre class=\"runcu-report\">");
    for (size_t i = 0; i < d->list.len; i++) {
        if (strcmp(d->list.at[i].area, area) != 0) {
            area = d->list.at[i].area;
            report_put(w, STYLE_STRONG, area);
            report_put(w, STYLE_PLAIN, "\n");
        }
        put_finding(w, &d->list.at[i]);
    }
    report_put(w, STYLE_PLAIN, "\n");
    report_put(w, d->is_well ? STYLE_CARET : STYLE_ERROR, str_text(&d->verdict));
    report_put(w, STYLE_PLAIN, "\n");
    if (is_html)
        str_add(&w->out, "</pre>\n");
}

static void put_json(struct str *out, const runcu_diagnosis *d)
{
    str_addf(out, "{\"well\": %s, ", d->is_well ? "true" : "false");
    report_add_member(out, "verdict", str_text(&d->verdict));
    str_add(out, ", \"findings\": [");
    for (size_t i = 0; i < d->list.len; i++) {
        const runcu_finding *f = &d->list.at[i];
        const struct {
            const char *key, *text;
        } members[] = {
            {"area", f->area}, {"item", f->item},     {"state", states[f->state].word},
            {"text", f->text}, {"detail", f->detail}, {"advice", f->advice},
        };
        for (size_t j = 0; j < ARRAY_LEN(members); j++) {
            str_add(out, j ? ", " : i ? ",\n {" : "\n {");
            report_add_member(out, members[j].key, members[j].text);
        }
        str_addc(out, '}');
    }
    str_add(out, "]}\n");
}

int runcu_diagnosis_write(const runcu_diagnosis *diagnosis, int form, runcu_print_fn *write,
                          void *user)
{
    if (!diagnosis || !write)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%s is NULL", diagnosis ? "write" : "diagnosis");
    if (form < RUNCU_REPORT_TEXT || form > RUNCU_REPORT_JSON)
        return runcu_fail(RUNCU_ERROR_ARGUMENT, "%d is no form of a report: see enum runcu_report",
                          form);
    struct report_writer w = {.form = form};
    if (form == RUNCU_REPORT_JSON)
        put_json(&w.out, diagnosis);
    else
        put_all(&w, diagnosis);
    int status = w.out.failed ? runcu_fail_memory() : 0;
    if (!status)
        write(user, w.out.at, w.out.len);
    str_fini(&w.out);
    return status;
}
