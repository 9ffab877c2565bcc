import { createHash } from 'node:crypto';
import { quoted } from './schema.ts';

/** The turns that begin anew who has ended in the same group have numbers from here on: they come after all others. */
export const SECOND_TURNS = 1_000_000;

/** What the function takes, in this order. A list is JSON, of objects with the columns as the function names them. */
export const COMMIT_PARAMETERS = [
  ['node', 'smallint'],
  ['epoch', 'bigint'],
  ['number', 'bigint'],
  ['follows', 'bigint'],
  ['group', 'text'],
  ['at', 'double precision'],
  ['next_row', 'bigint'],
  ['most_rows', 'bigint'],
  ['crowded_from', 'double precision'],
  ['replay', 'boolean'],
  ['turns', 'json'],
  ['handled', 'json'],
  ['ids', 'json'],
  ['steps', 'json'],
  ['ended', 'json'],
  ['letters', 'json'],
  ['rows', 'json'],
  ['row_parts', 'integer'],
  ['removed', 'json'],
  ['attempts', 'json'],
  ['blob', 'bytea'],
] as const;

export type CommitParameter = (typeof COMMIT_PARAMETERS)[number][0];

/** What the function answers: the result of the group, with turns by their numbers, or why nothing was written. */
export interface CommitAnswer {
  /** Who owns the store, when that is another opening; empty where nobody knows. */
  readonly owner?: string;
  /** The number of the last group, when that does not fit: a later one, or one before the last that was written. */
  readonly last?: number;
  /** The number of the group: of the call that wrote it. */
  readonly number: number;
  readonly fenced: readonly number[];
  readonly unknown: readonly number[];
  readonly full: readonly number[];
  readonly crowded: readonly string[];
  /** Absent in what an earlier version has written. */
  readonly taken?: readonly number[];
}

export interface CommitFunction {
  /** Of its text: two versions of this program whose functions differ work on one database, each by its own. */
  readonly name: string;
  /** Creates it. */
  readonly definition: string;
  /** The statement that writes a group. It has no name on the server, and leaves nothing in the session. */
  readonly statement: string;
}

export function commitFunction(schema: string): CommitFunction {
  const parameters = COMMIT_PARAMETERS.map(([name, type]) => `p_${name} ${type}`).join(', ');
  const text = `(${parameters}) returns json ${body(quoted(schema))}`;
  const name = `commit_${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
  const called = `${quoted(schema)}.${name}`;
  const given = COMMIT_PARAMETERS.map(([, type], i) => `$${i + 1}::${type}`).join(', ');
  return {
    name,
    definition: `create or replace function ${called}${text}`,
    statement: `select ${called}(${given})`,
  };
}

const TURN =
  'json_to_recordset(p_turns) as t(i integer, address text, after text, kind integer, part smallint, epoch bigint';
const SLICE = (offset: string, length: string): string =>
  `substring(p_blob from ${offset} + 1 for ${length})`;
const LETTER_SET =
  'at, address, reason, key_id, crc, meta, event, n, since, due_at, sender, row_id, caller, attempts, activate';
const LETTER_COLUMNS = `id, ${LETTER_SET}`;
const REPLACE_LETTER = `on conflict (id) do update set (${LETTER_SET}) = row(${LETTER_SET.replaceAll(/\w+/g, 'excluded.$&')})`;

/**
 * The function that writes a group as one statement: a round trip, and a transaction that a pooler hands on whole. It goes
 * by the same steps as the writer of a SQLite file. Who owns the store is a row, which it locks: so one group comes after
 * another, and a call that was given up and comes late finds a later number there and writes nothing.
 *
 * How it finds its way must not hang on what the planner believes of tables that grow, so it always takes an index.
 */
function body(at: string): string {
  return `language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $commit$
declare
  o record;
  v_low integer;
  v_count bigint;
  v_waiting bigint;
  v_before bigint;
  v_some integer[];
  v_fenced integer[] := '{}';
  v_again integer[] := '{}';
  v_bad integer[] := '{}';
  v_unknown bigint[] := '{}';
  v_full bigint[] := '{}';
  v_more bigint[];
  v_others bigint[];
  v_crowded text[] := '{}';
  v_removed text[] := '{}';
  v_taken bigint[] := '{}';
  v_counting boolean := false;
  v_ends boolean := false;
  v_result json;
begin
  if current_setting('synchronous_commit') not in ('on', 'remote_apply') then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  select epoch, holder, number, last_group, last_result, waiting, whole into o from ${at}.owner where node = p_node for update;
  -- Who has opened the store alone has left no other owner.
  if o.epoch is distinct from p_epoch then
    return json_build_object('owner', coalesce(o.holder, (select holder from ${at}.owner where whole), ''));
  end if;
  -- What an end has taken does not say that it did, nor does a row that another node has handled since.
  if o.last_group = p_group and o.last_result is not null then return o.last_result; end if;
  if o.number >= p_number or o.number < p_follows then return json_build_object('last', o.number); end if;
  v_before := (select sum(waiting) from ${at}.owner);
  v_waiting := v_before;

  if p_turns is not null then
    for v_low in select distinct (t.i / ${SECOND_TURNS}) * ${SECOND_TURNS} from ${TURN}) order by 1 loop
      select coalesce(array_agg(s.i) filter (where s.again), '{}'),
             coalesce(array_agg(s.i) filter (where s.fenced), '{}') into v_some, v_bad
      from (
        select t.i, t.kind = 1 and r.commit_id is not distinct from p_group as again,
               r.commit_id is distinct from p_group and (r.commit_id is distinct from t.after or (t.epoch is not null and not exists(
                 -- Whoever takes a partition waits for the lock on its owner.
                 select from ${at}.partitions q where q.part = t.part and q.epoch = t.epoch))) as fenced
        from ${TURN}) left join ${at}.records r on r.address = t.address
        where t.i >= v_low and t.i < v_low + ${SECOND_TURNS}) s;
      v_again := v_again || v_some;
      v_fenced := v_fenced || v_bad;
      v_bad := v_again || v_fenced;

      if p_handled is not null then
        delete from ${at}.rows r using json_to_recordset(p_handled) as h(i integer, n bigint, address text)
        where r.n = h.n and r.address = h.address
          and h.i >= v_low and h.i < v_low + ${SECOND_TURNS} and h.i <> all(v_bad);
        get diagnostics v_count = row_count;
        v_waiting := v_waiting - v_count;
      end if;
      if p_ids is not null then ${putIds(at, `x.i >= v_low and x.i < v_low + ${SECOND_TURNS} and x.i <> all(v_bad)`)} end if;
      if p_letters is not null then ${putLetters(at, `x.i >= v_low and x.i < v_low + ${SECOND_TURNS} and x.i <> all(v_bad)`)} end if;
      insert into ${at}.records as r(address, commit_id, at, incarnation, seq, due_at, wakes, quarantined, version, key_id, crc, meta, state)
      select t.address, p_group, p_at, t.incarnation, t.seq, t.due_at, t.wakes, t.quarantined, t.version, t.key_id, t.crc,
             ${SLICE('t.mo', 't.ml')}, ${SLICE('t.so', 't.sl')}
      from ${TURN}, incarnation bigint, seq bigint, due_at double precision, wakes smallint, quarantined smallint, version text,
        key_id integer, crc bigint, mo integer, ml integer, so integer, sl integer)
      where t.kind = 1 and t.i >= v_low and t.i < v_low + ${SECOND_TURNS} and t.i <> all(v_bad)
      on conflict (address) do update set commit_id = excluded.commit_id, at = excluded.at, incarnation = excluded.incarnation,
        seq = excluded.seq, due_at = excluded.due_at, wakes = excluded.wakes, quarantined = excluded.quarantined,
        version = excluded.version, key_id = excluded.key_id, crc = excluded.crc, meta = excluded.meta, state = excluded.state;
      if p_steps is not null then
        insert into ${at}.steps(address, start, key, key_id, crc, value)
        select distinct on (x.address, x.start, x.key) x.address, x.start, x.key, x.key_id, x.crc, ${SLICE('x.o', 'x.l')}
        from json_to_recordset(p_steps) as x(p integer, i integer, address text, start text, key text, key_id integer, crc bigint, o integer, l integer)
        where x.i >= v_low and x.i < v_low + ${SECOND_TURNS} and x.i <> all(v_bad)
        order by x.address, x.start, x.key, x.p desc
        on conflict (address, start, key) do update set key_id = excluded.key_id, crc = excluded.crc, value = excluded.value;
      end if;
      if p_ended is not null then
        delete from ${at}.steps s using json_to_recordset(p_ended) as x(i integer, address text, start text)
        where s.address = x.address and s.start = x.start
          and x.i >= v_low and x.i < v_low + ${SECOND_TURNS} and x.i <> all(v_bad);
      end if;
      if exists (select from ${TURN}) where t.kind = 2 and t.i >= v_low and t.i < v_low + ${SECOND_TURNS}) then
        v_ends := true;
        delete from ${at}.records r using ${TURN})
        where t.kind = 2 and t.i >= v_low and t.i < v_low + ${SECOND_TURNS} and t.i <> all(v_bad) and r.address = t.address;
        delete from ${at}.steps s using ${TURN})
        where t.kind = 2 and t.i >= v_low and t.i < v_low + ${SECOND_TURNS} and t.i <> all(v_bad) and s.address = t.address;
        with gone as (
          delete from ${at}.rows r using ${TURN})
          where t.kind = 2 and t.i >= v_low and t.i < v_low + ${SECOND_TURNS} and t.i <> all(v_bad) and r.address = t.address
          returning r.*)
        insert into ${at}.letters(${LETTER_COLUMNS})
        select 'row-' || g.n, p_at, g.address, 'stopped', g.key_id, g.crc, null, g.event, g.n, g.since, g.due_at, g.sender, g.id,
               g.caller, g.attempts, false
        from gone g ${REPLACE_LETTER};
        get diagnostics v_count = row_count;
        v_waiting := v_waiting - v_count;
        delete from ${at}.ids x using ${TURN})
        where t.kind = 2 and t.i >= v_low and t.i < v_low + ${SECOND_TURNS} and t.i <> all(v_bad) and x.address = t.address
          and x.outcome = 'open'
          -- But for what comes after the end.
          and not exists (select from json_to_recordset(p_ids) as y(i integer, address text, caller text, id text)
            where y.i > t.i and y.i < v_low + ${SECOND_TURNS} and y.i <> all(v_bad)
              and y.address = x.address and y.caller = x.caller and y.id = x.id);
      end if;
    end loop;
  end if;

  if p_ids is not null then ${putIds(at, 'x.i is null')} end if;
  if p_removed is not null then
    with gone as (
      delete from ${at}.letters l using json_array_elements_text(p_removed) as x(id) where l.id = x.id returning l.id)
    select coalesce(array_agg(id), '{}') into v_removed from gone;
  end if;

  if p_rows is not null then
    -- Another node may be ending a recipient: either it sees these rows, or this sees that the record is gone.
    if not o.whole then
      perform from ${at}.records r where r.address in (select x.address from ${rowsOf('x')}) order by r.address for key share;
      -- Of a letter one node makes a row again.
      if p_removed is not null then
        select coalesce(array_agg(x.n order by x.p), '{}') into v_taken from ${rowsOf('x')} where x.letter <> all(v_removed);
      end if;
    end if;
    v_counting := v_waiting + json_array_length(p_rows) >= p_crowded_from;
    -- The group has come again: of what such a turn sent nothing is written twice, whatever became of it since.
    if v_again <> '{}' then
      with lost as (
        select x.p, x.n, l.reason from ${rowsOf('x')} join ${at}.letters l on l.id = 'row-' || x.n
        where x.i = any(v_again)
      ), closed as (
        delete from ${at}.ids d using ${rowsOf('x')} where x.i = any(v_again) and x.p in (select p from lost)
          and d.address = x.address and d.caller = x.caller and d.id = x.id and d.outcome = 'open')
      select coalesce(array_agg(n order by p) filter (where reason <> 'mailbox-full'), '{}'),
             coalesce(array_agg(n order by p) filter (where reason = 'mailbox-full'), '{}') into v_unknown, v_full from lost;
    end if;
    for v_part in 0..p_row_parts - 1 loop
    with given as (
      select x.*, r.address is not null as has, exists(select from ${at}.rows y where y.n = x.n) as there
      from ${rowsOf('x')} left join ${at}.records r on r.address = x.address
      where x.part = v_part and (x.i is null or x.i <> all(v_bad)) and x.n <> all(v_taken)
    ), counts as (
      select a.address, (select count(*) from (select from ${at}.rows y where y.address = a.address limit p_most_rows) z) as waiting
      from (select distinct g.address from given g where v_counting and g.has and not g.there) a
    ), placed as (
      select g.*, coalesce(g.has and not g.there and not (p_replay and g.i is null) and
        c.waiting + count(*) filter (where g.has and not g.there) over (partition by g.address order by g.p) > p_most_rows, false) as over
      from given g left join counts c on c.address = g.address
    ), written as (
      insert into ${at}.rows(n, address, since, due_at, sender, id, caller, attempts, key_id, crc, event)
      select g.n, g.address, case when g.due_at = 0 then p_at else g.due_at end, g.due_at, g.sender, g.id, g.caller, g.attempts,
             g.key_id, g.crc, ${SLICE('g.o', 'g.l')}
      from placed g where g.has and not g.there and not g.over returning 1
    ), lost as (
      insert into ${at}.letters(${LETTER_COLUMNS})
      select 'row-' || g.n, p_at, g.address, case when g.has then 'mailbox-full' else 'unknown-address' end, g.key_id, g.crc, null,
             ${SLICE('g.o', 'g.l')}, g.n, case when g.due_at = 0 then p_at else g.due_at end, g.due_at, g.sender, g.id, g.caller,
             g.attempts, g.activate
      from placed g where not g.has or (g.over and g.i is not null) ${REPLACE_LETTER}
    ), closed as (
      delete from ${at}.ids d using placed g where (not g.has or g.over)
        and d.address = g.address and d.caller = g.caller and d.id = g.id and d.outcome = 'open')
    select (select count(*) from written),
           coalesce(array_agg(g.n order by g.p) filter (where not g.has), '{}'),
           coalesce(array_agg(g.n order by g.p) filter (where g.over), '{}') into v_count, v_more, v_others from placed g;
    v_waiting := v_waiting + v_count;
    v_unknown := v_unknown || v_more;
    v_full := v_full || v_others;
    end loop;
  end if;

  if p_letters is not null then ${putLetters(at, 'x.i is null')} end if;
  if p_attempts is not null then
    update ${at}.rows r set attempts = x.attempts from json_to_recordset(p_attempts) as x(n bigint, attempts integer) where r.n = x.n;
  end if;
  if v_counting then
    select coalesce(array_agg(a.address order by a.p), '{}') into v_crowded
    from (select x.address, min(x.p) as p from ${rowsOf('x')} where x.i is null or x.i <> all(v_fenced) group by x.address) a
    where (select count(*) from ${at}.rows y where y.address = a.address) >= p_crowded_from;
  end if;
  v_result := json_build_object('number', p_number, 'fenced', v_fenced, 'unknown', v_unknown, 'full', v_full, 'crowded', v_crowded, 'taken', v_taken);
  update ${at}.owner set number = p_number, last_group = p_group, last_result = case when v_ends or (p_rows is not null and not o.whole) then v_result end,
    next_row = greatest(next_row, p_next_row), waiting = o.waiting + v_waiting - v_before where node = p_node;
  return v_result;
end $commit$;
`;
}

function rowsOf(name: string): string {
  return `json_to_recordset(p_rows) as ${name}(p integer, i integer, part integer, n bigint, address text, due_at double precision, sender text,
    id text, caller text, attempts integer, activate boolean, letter text, key_id integer, crc bigint, o integer, l integer)`;
}

function putIds(at: string, which: string): string {
  return `
    insert into ${at}.ids(address, caller, id, hash, outcome, until, key_id, crc, value)
    select distinct on (x.address, x.caller, x.id) x.address, x.caller, x.id, x.hash, x.outcome, x.until, x.key_id, x.crc,
           ${SLICE('x.o', 'x.l')}
    from json_to_recordset(p_ids) as x(p integer, i integer, address text, caller text, id text, hash text, outcome text,
      until double precision, key_id integer, crc bigint, o integer, l integer)
    where ${which} order by x.address, x.caller, x.id, x.p desc
    on conflict (address, caller, id) do update set hash = excluded.hash, outcome = excluded.outcome, until = excluded.until,
      key_id = excluded.key_id, crc = excluded.crc, value = excluded.value;`;
}

function putLetters(at: string, which: string): string {
  return `
    insert into ${at}.letters(${LETTER_COLUMNS})
    select distinct on (x.id) x.id, x.at, x.address, x.reason, x.key_id, x.crc, ${SLICE('x.mo', 'x.ml')}, ${SLICE('x.o', 'x.l')},
           null, null, null, null, null, null, null, null
    from json_to_recordset(p_letters) as x(p integer, i integer, id text, at double precision, address text, reason text,
      key_id integer, crc bigint, mo integer, ml integer, o integer, l integer)
    where ${which} order by x.id, x.p desc ${REPLACE_LETTER};`;
}
