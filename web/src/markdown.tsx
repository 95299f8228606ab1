// Markdown as people write it in descriptions and comments. It becomes nodes, never markup:
// HTML in it is text, and nothing is loaded. What it takes to read a text grows with its
// length alone.
import type { ComponentChild, VNode } from "preact";
import { useMemo } from "preact/hooks";
import { Field } from "./account";
import { t } from "./texts";

// Nothing nests deeper: what would is text.
const deepest = 8;

const fence = /^ {0,3}(`{3,}|~{3,})[^`]*$/;
const heading = /^ {0,3}(#{1,6})\s+(\S.*)$/;
const rule = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const quote = /^ {0,3}> ?/;
const item = /^( *)([-*+]|\d{1,9}[.)])(?: +|$)/;
// One that goes on in a paragraph: a number that begins a line there is no item.
const laterItem = /^ *(?:[-*+]|1[.)]) +\S/;
const todo = /^\[([ xX])\] +/;

// indented counts the spaces that a line begins with.
const indented = (line: string): number => line.search(/[^ ]|$/);

// Outline is how deep the heading before was: none skips a level.
interface Outline {
  top: number;
  last: number;
}

function blocks(lines: string[], depth: number, outline: Outline): VNode[] {
  const out: VNode[] = [];
  const nests = depth < deepest;
  const dir = depth === 0 ? "auto" : undefined; // what is inside counts for it, too
  const begins = (line: string) => fence.test(line) || heading.test(line) || rule.test(line) || (nests && (quote.test(line) || laterItem.test(line)));
  for (let i = 0; i < lines.length; ) {
    const line = lines[i]!;
    let m: RegExpExecArray | null;
    if (line.trim() === "") {
      i++;
    } else if ((m = fence.exec(line))) {
      const [mark, first] = [m[1]!, ++i];
      while (i < lines.length && !(lines[i]!.trim().startsWith(mark) && fence.test(lines[i]!))) i++;
      out.push(
        <pre dir={dir}>
          <code>{lines.slice(first, i++).join("\n")}</code>
        </pre>,
      );
    } else if ((m = heading.exec(line))) {
      const level = (outline.last = Math.min(outline.top + m[1]!.length, outline.last + 1, 6));
      const Heading = `h${level}` as "h3";
      out.push(<Heading dir={dir}>{inline(m[2]!.trimEnd().replace(/\s#+$/, ""))}</Heading>);
      i++;
    } else if (rule.test(line)) {
      out.push(<hr />);
      i++;
    } else if (nests && quote.test(line)) {
      const inner: string[] = [];
      for (; i < lines.length && quote.test(lines[i]!); i++) inner.push(lines[i]!.replace(quote, ""));
      out.push(<blockquote dir={dir}>{blocks(inner, depth + 1, outline)}</blockquote>);
    } else if (nests && (m = item.exec(line))) {
      const [margin, ordered] = [m[1]!.length, /\d/.test(m[2]!)];
      const start = parseInt(m[2]!, 10);
      const items: VNode[] = [];
      for (; m && m[1]!.length <= margin && /\d/.test(m[2]!) === ordered && !rule.test(lines[i]!); m = item.exec(lines[i] ?? "")) {
        const inner = [lines[i++]!.slice(m[0].length)];
        for (; i < lines.length && (lines[i]!.trim() === "" || indented(lines[i]!) > margin); i++) inner.push(lines[i]!.slice(Math.min(indented(lines[i]!), m[0].length)));
        const box = todo.exec(inner[0]!);
        if (box) inner[0] = inner[0]!.slice(box[0].length);
        const content = blocks(inner, depth + 1, outline);
        items.push(
          box ? (
            <li class="todo">
              <input type="checkbox" disabled checked={box[1] !== " "} aria-label={box[1] === " " ? t.todoOpen : t.todoDone} />
              <div>{content}</div>
            </li>
          ) : (
            <li>{content}</li>
          ),
        );
      }
      out.push(ordered ? <ol dir={dir} start={start}>{items}</ol> : <ul dir={dir}>{items}</ul>);
    } else {
      const first = i++;
      while (i < lines.length && lines[i]!.trim() !== "" && !begins(lines[i]!)) i++;
      out.push(<p dir={dir}>{inline(lines.slice(first, i).join("\n").trim())}</p>);
    }
  }
  return out;
}

// token is what means something in a line: an escaped sign; ticks; marks of emphasis; a link
// or an image, which is shown as a link; an address in angle brackets, or bare.
const token =
  /\\([!-/:-@[-`{-~])|(`+)|(\*+|_+|~+)|!?\[((?:[^[\]\\]|\\.|\[[^[\]\\]*\])*)\]\(<?([^\s<>()]*(?:\([^\s()]*\)[^\s<>()]*)*)>?(?: +"[^"]*")? *\)|<((?:https?:|mailto:)[^\s<>]+)>|\bhttps?:\/\/[^\s<>]+/giu;
const letter = /[\p{L}\p{N}]/u;

// addressOf is where a link leads, if it may: to a page, or to somebody's mail.
function addressOf(link: string): string | undefined {
  try {
    const url = new URL(link);
    return ["http:", "https:", "mailto:"].includes(url.protocol) ? url.href : undefined;
  } catch {
    return undefined; // such as a part of an address
  }
}

// inline reads what is in a paragraph; in a link there is no other one.
function inline(text: string, linked = false): ComponentChild[] {
  const out: ComponentChild[] = [];
  const open: { at: number; sign: string; n: number }[] = []; // marks in out that may begin an emphasis
  const unclosed = new Set<number>(); // numbers of ticks that do not come again
  let plain = "";
  let from = 0;
  const flush = () => {
    if (plain !== "") out.push(plain);
    plain = "";
  };
  const link = (url: string, content: ComponentChild) => {
    flush();
    out.push(
      <a href={url} target="_blank" rel="noopener noreferrer" dir="auto">
        {content}
      </a>,
    );
  };
  const emphasis = (run: string, at: number) => {
    const sign = run[0]!;
    let n = run.length;
    const [before, after] = [text[at - 1] ?? " ", text[at + n] ?? " "];
    const opens = after.trim() !== "" && !(sign === "_" && letter.test(before));
    const closes = before.trim() !== "" && !(sign === "_" && letter.test(after));
    if (n > 3 || (sign === "~" && n !== 2)) {
      plain += run;
      return;
    }
    while (closes && n > 0) {
      const i = open.findLastIndex((o) => o.sign === sign);
      if (i < 0) break;
      flush();
      const begin = open[i]!;
      const used = Math.min(2, n, begin.n);
      open.length = i + 1; // what is open inside never closes
      const inner = out.splice(begin.at + 1);
      out[begin.at] = sign.repeat((begin.n -= used));
      out.push(sign === "~" ? <del>{inner}</del> : used === 2 ? <strong>{inner}</strong> : <em>{inner}</em>);
      if (begin.n === 0) open.pop();
      n -= used;
    }
    if (opens && n > 0) {
      flush();
      open.push({ at: out.push(sign.repeat(n)) - 1, sign, n });
      if (open.length > deepest) open.shift();
    } else {
      plain += sign.repeat(n);
    }
  };
  token.lastIndex = 0;
  for (let m: RegExpExecArray | null; (m = token.exec(text)); token.lastIndex = from) {
    plain += text.slice(from, m.index);
    from = token.lastIndex;
    const [whole, escaped, ticks, run, label, target, bracketed] = m;
    if (escaped !== undefined) {
      plain += escaped;
    } else if (ticks !== undefined) {
      let [end, n] = [from, 0];
      while (!unclosed.has(ticks.length) && n !== ticks.length) {
        const at = text.indexOf(ticks, end);
        if (at < 0) unclosed.add(ticks.length);
        for (end = at, n = 0; text[end] === "`"; end++) n++;
      }
      if (unclosed.has(ticks.length)) {
        plain += ticks;
      } else {
        flush();
        out.push(<code>{text.slice(from, end - n).replace(/^ (.+) $/s, "$1")}</code>);
        from = end;
      }
    } else if (run !== undefined) {
      emphasis(run, m.index);
    } else if (target !== undefined) {
      const url = addressOf(target);
      if (linked || url === undefined) plain += whole;
      else link(url, label === "" ? target : inline(label!, true));
    } else {
      let bare = bracketed ?? whole;
      if (bracketed === undefined) {
        // The end of a sentence is none of its address.
        while (/[.,:;!?'"*_~\]]$/.test(bare.slice(-1)) || (bare.endsWith(")") && !bare.includes("("))) bare = bare.slice(0, -1);
        from = m.index + bare.length;
      }
      const url = addressOf(bare);
      if (linked || url === undefined) plain += bracketed === undefined ? bare : whole;
      else link(url, bare);
    }
  }
  plain += text.slice(from);
  flush();
  return out;
}

// read makes nodes of a text; its headings are below one of a level.
function read(text: string, below: number): VNode[] {
  return blocks(text.split(/\r\n?|\n/), 0, { top: below, last: below });
}

const isPlain = (nodes: VNode[]): boolean => nodes.every((node) => node.type === "p" && (node.props.children as ComponentChild[]).every((child) => typeof child === "string"));

export function Markdown(p: { text: string; below: number }) {
  return <div class="markdown">{useMemo(() => read(p.text, p.below), [p.text, p.below])}</div>;
}

// Description is a text with the field to change it in. Below the field it is shown as it will
// look, where that is not as it is typed.
export function Description(p: { text: string; writable: boolean; wrong: string | undefined; onInput: (text: string) => void }) {
  const nodes = useMemo(() => read(p.text, 2), [p.text]);
  if (!p.writable) {
    return p.text === "" ? null : (
      <>
        <h3>{t.description}</h3>
        <div class="markdown">{nodes}</div>
      </>
    );
  }
  return (
    <>
      <Field id="description" label={t.description} hint={t.markdownHint} wrong={p.wrong}>
        <textarea id="description" dir="auto" rows={4} maxLength={20000} value={p.text} aria-describedby="description-hint description-wrong" onInput={(e) => p.onInput(e.currentTarget.value)} />
      </Field>
      {!isPlain(nodes) && (
        <div class="markdown preview" role="group" aria-label={t.preview}>
          {nodes}
        </div>
      )}
    </>
  );
}
