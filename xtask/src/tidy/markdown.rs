//! As much of Markdown as the checks need: fences, links, headings, tables.

use std::collections::BTreeSet;

/// A fenced block.
pub(super) struct Fence<'a> {
    /// Of the opening fence, from 1.
    pub(super) line: usize,
    /// What stands behind the opening fence: a language, then marks.
    pub(super) info: &'a str,
}

impl<'a> Fence<'a> {
    pub(super) fn language(&self) -> &'a str {
        self.info.split_whitespace().next().unwrap_or("")
    }

    pub(super) fn marks(&self) -> impl Iterator<Item = &'a str> {
        self.info.split_whitespace().skip(1)
    }
}

pub(super) fn fences(text: &str) -> impl Iterator<Item = Fence<'_>> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let info = line.trim_start().strip_prefix("```")?;
        inside = !inside;
        inside.then_some(Fence {
            line: index + 1,
            info: info.trim(),
        })
    })
}

/// Lines outside fences, each with its number from 1.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            return None;
        }
        (!inside).then_some((index + 1, line))
    })
}

/// The targets of `[text](target)` and `![text](target)`, each with its line. Code spans hold none.
pub(super) fn links(text: &str) -> impl Iterator<Item = (usize, &str)> {
    prose(text).flat_map(|(number, line)| {
        let code_free = line.split('`').step_by(2);
        let targets: Vec<&str> = code_free
            .flat_map(|part| part.split("](").skip(1))
            .filter_map(|rest| rest.split([')', ' ']).next())
            .collect();
        targets.into_iter().map(move |target| (number, target))
    })
}

/// The anchors of all headings, by the rule that code hosts share.
pub(super) fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let Some(title) = heading(line) else { continue };
        let anchor: String = title
            .to_lowercase()
            .chars()
            .filter_map(|c| match c {
                ' ' => Some('-'),
                c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
                _ => None,
            })
            .collect();
        // A title that comes again is numbered.
        let repeated = (1..).map(|n| format!("{anchor}-{n}"));
        let free = std::iter::once(anchor.clone())
            .chain(repeated)
            .find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}

fn heading(line: &str) -> Option<&str> {
    let title = line.trim_start_matches('#');
    (title.len() < line.len())
        .then(|| title.strip_prefix(' '))
        .flatten()
        .map(str::trim)
}

/// The rows of the table in `section` whose head begins with `columns`, cut to these columns, without code marks.
pub(super) fn table_rows(text: &str, section: &str, columns: &[&str]) -> Option<Vec<Vec<String>>> {
    let mut lines = prose(text)
        .map(|(_, line)| line)
        .skip_while(|line| heading(line) != Some(section));
    lines.next()?;
    let mut lines = lines
        .take_while(|line| !line.starts_with("## "))
        .skip_while(|line| cells(line, columns.len()) != columns);
    lines.next()?;
    Some(
        lines
            .skip(1)
            .take_while(|line| line.starts_with('|'))
            .map(|line| cells(line, columns.len()))
            .collect(),
    )
}

fn cells(line: &str, count: usize) -> Vec<String> {
    let Some(row) = line.trim().strip_prefix('|') else {
        return Vec::new();
    };
    row.split('|')
        .take(count)
        .map(|cell| cell.replace('`', "").trim().to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# A `title`, twice\n\n# A `title`, twice\n[one](a.md#b) and `[no](link)` ![two](c.png)\n\
        ```sh run\n# no heading [no](link)\n```\n## Codes\n| code | why |\n|---|---|\n| `1` | it | more\n| 2 | is |\n\n## Next\n";

    #[test]
    fn links_are_found_outside_code() {
        assert_eq!(
            links(TEXT).collect::<Vec<_>>(),
            [(4, "a.md#b"), (4, "c.png")]
        );
    }

    #[test]
    fn anchors_are_lower_case_and_numbered() {
        let anchors: Vec<String> = anchors(TEXT).into_iter().collect();
        assert_eq!(
            anchors,
            ["a-title-twice", "a-title-twice-1", "codes", "next"]
        );
    }

    #[test]
    fn fences_tell_language_and_marks() {
        let fence = fences(TEXT).next().expect("one fence");
        assert_eq!(
            (
                fence.line,
                fence.language(),
                fence.marks().collect::<Vec<_>>()
            ),
            (5, "sh", vec!["run"])
        );
    }

    #[test]
    fn a_table_is_read_by_its_section_and_head() {
        let rows = table_rows(TEXT, "Codes", &["code", "why"]).expect("a table");
        assert_eq!(rows, [["1", "it"], ["2", "is"]]);
        assert_eq!(table_rows(TEXT, "Next", &["code"]), None);
    }
}
