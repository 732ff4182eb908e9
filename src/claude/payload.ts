/** Typed access to an object of Claude Code's: a field of another type counts as absent. What is read is masked, content is cut. */
import type { AttributeName } from '../telemetry/attributes.ts'
import type { Keeper } from '../telemetry/keeper.ts'
import type { Preview } from '../telemetry/preview.ts'

export class Payload {
  constructor(
    readonly value: Readonly<Record<string, unknown>>,
    readonly keeper: Keeper,
  ) {}

  /** Not to be kept. */
  raw(key: string): string | undefined {
    const field = this.value[key]
    return typeof field === 'string' ? field : undefined
  }

  /** A name, an id or a word of Claude Code's; masked all the same, for it could be anything. */
  text(key: string): string | undefined {
    const field = this.raw(key)
    return field === undefined ? undefined : this.keeper.mask(field)
  }

  preview(attribute: AttributeName, key: string): Preview {
    return this.keeper.preview(attribute, this.raw(key) ?? '')
  }

  list(key: string): readonly unknown[] {
    const field = this.value[key]
    return Array.isArray(field) ? field : []
  }

  optional<K extends string>(as: K, key: string): { readonly [P in K]?: string } {
    const field = this.text(key)
    return (field === undefined || field === '' ? {} : { [as]: field }) as { readonly [P in K]?: string }
  }

  optionalPath<K extends string>(as: K, key: string): { readonly [P in K]?: string } {
    const field = this.raw(key)
    return (field === undefined || field === '' ? {} : { [as]: this.keeper.maskPath(field) }) as {
      readonly [P in K]?: string
    }
  }

  optionalNumber<K extends string>(as: K, key: string): { readonly [P in K]?: number } {
    const field = this.value[key]
    return (typeof field === 'number' ? { [as]: field } : {}) as { readonly [P in K]?: number }
  }
}
