// Files for a model: dropped on its panel, or chosen.
import { useRef, useState } from "preact/hooks";

type Open = (file: File | undefined) => void;

/** What a panel needs so that files can be dropped on it, and whether one hangs over it now. */
export function useDrop(open: Open) {
  const [over, setOver] = useState(false);
  const onDragOver = (event: DragEvent) => {
    event.preventDefault();
    setOver(true);
  };
  const onDragLeave = () => setOver(false);
  const onDrop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    open(event.dataTransfer?.files[0]);
  };
  return { over, onDragOver, onDragLeave, onDrop };
}

interface FileButtonProps {
  label: string;
  accept: string;
  disabled?: boolean;
  primary?: boolean;
  open: Open;
}

export function FileButton({ label, accept, disabled, primary, open }: FileButtonProps) {
  const chooser = useRef<HTMLInputElement>(null);
  const chosen = (input: HTMLInputElement) => {
    open(input.files?.[0]);
    input.value = ""; // so that the same file can be chosen again
  };
  return (
    <>
      <button
        type="button"
        class={primary ? "button primary" : "button"}
        disabled={disabled}
        data-testid="choose-file"
        onClick={() => chooser.current!.click()}
      >
        {label}
      </button>
      <input
        ref={chooser}
        type="file"
        accept={accept}
        hidden
        data-testid="file"
        onChange={(event) => chosen(event.currentTarget)}
      />
    </>
  );
}
