"""A program in Rust around a generated module, as `c_program` is one in C."""

from __future__ import annotations

from collections.abc import Iterator

from vhint.export.formats import Format, catalogue
from vhint.export.rust import ident
from vhint.export.shape import Array, Bits, Field, Leading, Maybe, Number, Parts, Rule, Variant
from vhint.export.words import camel, snake
from vhint.wire.history import Layout

HEAD = """\
#![no_std]
extern crate std;

mod vhint;

use std::io::{self, BufRead, Write};
use std::string::String;
use std::vec::Vec;
use std::{format, print, println};
use vhint::*;

fn refused(error: Error) {
    let kind: String = format!("{:?}", error.kind)
        .chars()
        .flat_map(|c| match c {
            'A'..='Z' => std::vec!['_', c.to_ascii_lowercase()],
            _ => std::vec![c],
        })
        .skip(1)
        .collect();
    let path = match error.element {
        Some((array, index)) if error.field.is_empty() => format!("{array}[{index}]"),
        Some((array, index)) => format!("{array}[{index}].{}", error.field),
        None => String::from(error.field),
    };
    print!("refused {kind} {path} {} {}", error.offset, error.seen);
}

fn text(bits: Bits<'_>) -> String {
    (0..bits.len()).map(|i| if bits.get(i) == Some(true) { '1' } else { '0' }).collect()
}
"""

MAIN = """\
fn main() {
    for line in io::stdin().lock().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let hex = if words[3] == "-" { "" } else { words[3] };
        let data: Vec<u8> = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
            .collect();
        let given: u64 = words[2].parse().unwrap_or(0);
        match words[0] {
%s            other => panic!("{other}"),
        }
        println!();
    }
    io::stdout().flush().unwrap();
}
"""


def formats() -> list[Format]:
    """What can be exported: all but whole messages of vhost-user."""
    return [each for each in catalogue().values() if not each.payload]


def source() -> str:
    """The text of the program."""
    functions = "".join(_function(each) for each in formats())
    calls = "".join(
        f'            "{each.name}" => show_{snake(each.name)}(&data, given, words[1]),\n'
        for each in formats()
    )
    layouts = "".join(
        f'        "{each.value}" => Layout::{camel(each.value)},\n' for each in Layout
    )
    layout_of = f"fn layout_of(name: &str) -> Layout {{\n    match name {{\n{layouts}"
    layout_of += '        other => panic!("{other}"),\n    }\n}\n'
    return f"{HEAD}\n{layout_of}{functions}\n{MAIN % calls}"


def _function(form: Format) -> str:
    given = ", given" * len(form.parameters) + (", layout_of(layout)" if form.layouts else "")
    lines = [
        "#[allow(unused_variables)]",
        f"fn show_{snake(form.name)}(data: &[u8], given: u64, layout: &str) {{",
        f"    let m = match {snake(form.name)}::parse(data{given}) {{",
        "        Ok(message) => message,",
        "        Err(error) => return refused(error),",
        "    };",
        '    print!("ok");',
        *_show(form, form.tree, "m.", ""),
        "}",
    ]
    return "\n" + "\n".join(lines) + "\n"


def _show(form: Format, fields: tuple[Field, ...], to: str, place: str) -> Iterator[str]:
    for field in fields:
        match field:
            case Number() if field.is_shown:
                yield _print(field, place, f"{to}{ident(field.name)}")
            case Parts():
                for part in field.parts:
                    path = f"{field.name}.{part.name}"
                    yield f'    print!(" {place}{path}={{}}", {to}{path});'
            case Bits():
                if field.is_leading:
                    yield f"    if let Some(found) = {to}{field.name} {{"
                    yield f'        print!(" {place}{field.name}={{}}", text(found));'
                    yield "    }"
                else:
                    yield f'    print!(" {place}{field.name}={{}}", text({to}{field.name}));'
            case Leading(numbers):
                for each in numbers:
                    yield f"    if let Some(value) = {to}{ident(each.name)} {{"
                    yield _print(each, place, "value")
                    yield "    }"
            case Maybe(number):
                yield f"    if let Some(value) = {to}{ident(number.name)} {{"
                yield _print(number, place, "value")
                yield "    }"
            case Variant():
                yield f"    match {to}{field.name} {{"
                for case in field.cases:
                    names = [ident(each.name) for each in case.fields if _is_member(each)]
                    kind = f"{snake(form.name)}::{camel(field.name)}::{camel(case.name)}"
                    yield f"    {kind} {{ {', '.join(names)} }} => {{"
                    yield from _show(form, case.fields, "", place)
                    yield "    }"
                yield "    }"
            case Array():
                yield f'    print!(" {place}{field.name}.count={{}}", {to}{field.name}.len());'
                yield f"    for (i, e) in {to}{field.name}.enumerate() {{"
                if field.is_plain:
                    yield f'    print!(" {field.name}[{{}}]={{}}", i, e);'
                else:
                    yield f'    let place = format!("{field.name}[{{}}].", i);'
                    lines = _show(form, field.element, "e.", "{place}")
                    yield from (line for line in lines)
                yield "    }"
            case _:
                pass


def _is_member(field: Field) -> bool:
    return isinstance(field, (Array, Bits, Parts)) or (isinstance(field, Number) and field.is_shown)


def _print(number: Number, place: str, value: str) -> str:
    shown = f"{value} as u64" if number.rule is Rule.CHOICE else value
    return f'    print!(" {place}{number.name}={{}}", {shown});'
