import {
  AliasNode,
  AndNode,
  BinaryOperationNode,
  ColumnNode,
  type DeleteQueryNode,
  IdentifierNode,
  type KyselyPlugin,
  type OnConflictNode,
  type OperationNode,
  OperationNodeTransformer,
  OperatorNode,
  ParensNode,
  type PluginTransformQueryArgs,
  type PluginTransformResultArgs,
  type QueryId,
  type QueryResult,
  RawNode,
  ReferenceNode,
  type ReturningNode,
  type SelectQueryNode,
  TableNode,
  type UnknownRow,
  type UpdateQueryNode,
  ValueNode,
  WhereNode,
} from 'kysely'
import { own } from './own-names.js'

/** What the predicates say of the moment, and of chance: volatile, which some engines let no update be. */
export const volatile = {
  clock: 'clock_timestamp()',
  chance: 'random()',
  commitLater: `(select pg_catalog.set_config('synchronous_commit', 'off', true)) = 'off'`,
} as const

/**
 * What stands for these there: the moment at which the statement came; a share of 0 to 1 that a hash of the row and its attempt makes,
 * as good as chance for jobs that are not to come back together; and nothing for what lets a commit wait for no disk, beside which Citus sends the
 * parts of a statement to the node one after the other, and none that is recursive.
 */
const stable: Readonly<Record<string, string>> = {
  [volatile.clock]: 'statement_timestamp()',
  [volatile.chance]: `((pg_catalog.hashtextextended("id"::text || ' ' || "attempts_count", 0) & 1048575) / 1048576.0)`,
  [volatile.commitLater]: 'true',
}

/** The beginning of what `asText` makes: a type of which nodes can't send each other values. */
const asCstring = ['pg_catalog.textout(('] as const

/** Fits statements to a server: each goes through it last, behind the plugins of the user's. */
export abstract class Fitting extends OperationNodeTransformer implements KyselyPlugin {
  transformQuery({ node }: PluginTransformQueryArgs) {
    return this.transformNode(node)
  }

  async transformResult({ result }: PluginTransformResultArgs): Promise<QueryResult<UnknownRow>> {
    return result
  }
}

/**
 * Lets nothing of a write be volatile, and what is stable and of the row stand within a sub-select, which Citus sends to the node as
 * it is.
 */
export class Stable extends Fitting {
  protected override transformUpdateQuery(node: UpdateQueryNode, queryId?: QueryId): UpdateQueryNode {
    const { updates, ...update } = super.transformUpdateQuery(node, queryId)
    const within = updates?.map((change) => ({ ...change, value: withinSelect(change.value) }))
    return ofWrite({ ...update, ...(within && { updates: within }) })
  }

  /** There nothing but what is immutable: the moment is that of the row that was to be inserted. */
  protected override transformOnConflict(node: OnConflictNode, queryId?: QueryId): OnConflictNode {
    const updates = node.updates?.map((change) => (isClock(change.value) ? { ...change, value: ofExcluded } : change))
    return super.transformOnConflict(updates === undefined ? node : { ...node, updates }, queryId)
  }

  protected override transformDeleteQuery(node: DeleteQueryNode, queryId?: QueryId): DeleteQueryNode {
    return ofWrite(super.transformDeleteQuery(node, queryId))
  }

  protected override transformRaw(node: RawNode, queryId?: QueryId): RawNode {
    const [text = ''] = node.sqlFragments
    const raw = super.transformRaw(node, queryId)
    if (text === asCstring[0]) return RawNode.create(['((', ')::text)'], raw.parameters)
    const stands = node.parameters.length === 0 ? stable[text] : undefined
    return stands === undefined ? raw : RawNode.createWithSql(stands)
  }
}

const isClock = (node: OperationNode): boolean => RawNode.is(node) && node.sqlFragments.join() === volatile.clock

const ofExcluded = RawNode.createWithSql('excluded."updated_at"')

type Write = { readonly where?: WhereNode; readonly returning?: ReturningNode }

function ofWrite<Query extends Write>({ where, ...query }: Query): Query {
  return {
    ...query,
    ...(where && { where: WhereNode.create(comparingWithin(where.where)) }),
    ...returningWithin(query),
  } as Query // the same, with other values
}

/** What is compared with a value, where it is no column. */
function comparingWithin(node: OperationNode): OperationNode {
  if (ParensNode.is(node)) return ParensNode.create(comparingWithin(node.node))
  if (AndNode.is(node)) return AndNode.create(comparingWithin(node.left), comparingWithin(node.right))
  if (!BinaryOperationNode.is(node) || !RawNode.is(node.leftOperand)) return node
  return { ...node, leftOperand: withinSelect(node.leftOperand) } as BinaryOperationNode // with another operand
}

function returningWithin(query: { readonly returning?: ReturningNode | undefined }): Pick<Write, 'returning'> {
  if (query.returning === undefined) return {}
  const selections = query.returning.selections.map(({ selection, ...rest }) => {
    return AliasNode.is(selection)
      ? { ...rest, selection: { ...selection, node: withinSelect(selection.node) } }
      : { ...rest, selection }
  })
  return { returning: { ...query.returning, selections } }
}

function withinSelect(value: OperationNode): OperationNode {
  return isPlain(value) ? value : RawNode.create(['(select ', ')'], [value])
}

/** A value or a column; a literal would lose in a sub-select the type that it takes on outside. */
function isPlain(node: OperationNode): boolean {
  const isAlone = RawNode.is(node) && node.parameters.length === 1 && node.sqlFragments.join('') === ''
  if (isAlone) return node.parameters.every(isPlain)
  return ValueNode.is(node) || ReferenceNode.is(node) || ColumnNode.is(node)
}

/** Narrows all that a statement says of a job table to the rows that have a value in a column: they are on one node, and it goes there. */
export class OfValue extends Fitting {
  readonly #table: string
  readonly #column: string
  readonly #value: string | null

  /** @param table the job table's real name */
  constructor(table: string, column: string, value: string | null) {
    super()
    this.#table = table
    this.#column = column
    this.#value = value
  }

  protected override transformSelectQuery(node: SelectQueryNode, queryId?: QueryId): SelectQueryNode {
    return this.#narrowed(super.transformSelectQuery(node, queryId), node.from?.froms)
  }

  protected override transformUpdateQuery(node: UpdateQueryNode, queryId?: QueryId): UpdateQueryNode {
    return this.#narrowed(super.transformUpdateQuery(node, queryId), node.table && [node.table])
  }

  protected override transformDeleteQuery(node: DeleteQueryNode, queryId?: QueryId): DeleteQueryNode {
    return this.#narrowed(super.transformDeleteQuery(node, queryId), node.from.froms)
  }

  #narrowed<Query extends { readonly where?: WhereNode }>(query: Query, from: readonly OperationNode[] = []): Query {
    const names = from.map((each) => this.#nameOfJobs(each)).filter((name) => name !== undefined)
    if (names.length === 0) return query
    return {
      ...query,
      where: names.reduce<WhereNode | undefined>((where, name) => this.#and(where, name), query.where),
    }
  }

  /** Once: what is a part of another statement has been through here before. */
  #and(where: WhereNode | undefined, name: string): WhereNode {
    if (where !== undefined && this.#isOfValue(where.where, name)) return where
    const column = ReferenceNode.create(ColumnNode.create(this.#column), TableNode.create(name))
    const isOfValue = BinaryOperationNode.create(column, OperatorNode.create('='), ValueNode.create(this.#value))
    return where === undefined ? WhereNode.create(isOfValue) : WhereNode.cloneWithOperation(where, 'And', isOfValue)
  }

  #isOfValue(node: OperationNode, name: string): boolean {
    if (AndNode.is(node)) return this.#isOfValue(node.right, name)
    if (!BinaryOperationNode.is(node) || !ReferenceNode.is(node.leftOperand)) return false
    const { column, table } = node.leftOperand
    return ColumnNode.is(column) && column.column.name === this.#column && table?.table.identifier.name === name
  }

  /** What a statement calls the job table that it reads or writes; undefined: it is another table, whatever it is called. */
  #nameOfJobs(node: OperationNode): string | undefined {
    if (TableNode.is(node)) return node.table.identifier.name === this.#table ? this.#table : undefined
    if (!AliasNode.is(node) || !TableNode.is(node.node) || !IdentifierNode.is(node.alias)) return undefined
    const isOurs = node.node.table.identifier.name === this.#table && aliases.has(node.alias.name)
    return isOurs ? node.alias.name : undefined
  }
}

/** Our aliases of a job table. */
const aliases: ReadonlySet<string> = new Set([own.row, own.before, 'job'])
