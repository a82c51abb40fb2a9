// One of a few, as buttons in a row.

interface ChoiceProps<T extends string> {
  label: string;
  options: readonly T[];
  names: Record<T, string>;
  chosen: T;
  onChoose: (option: T) => void;
  name: string;
  disabled?: boolean;
}

export function Choice<T extends string>({ label, options, names, chosen, onChoose, name, disabled }: ChoiceProps<T>) {
  return (
    <fieldset class="choice" disabled={disabled}>
      <legend>{label}</legend>
      <div>
        {options.map((option) => (
          <label key={option} data-chosen={option === chosen || undefined}>
            <input
              type="radio"
              name={name}
              value={option}
              checked={option === chosen}
              onChange={() => onChoose(option)}
              data-testid={`${name}-${option}`}
            />
            {names[option]}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
